# shellcheck shell=bash
# Does the cluster do what clusters are for? Real pods, real traffic between nodes. Source after cluster.sh.

check_port=8080

# check_pod NAME HOST COMMAND: a pod on that host; the scheduler places it by label.
check_pod() {
    cat <<YAML
---
apiVersion: v1
kind: Pod
metadata: {name: $1, labels: {app: $1}}
spec:
  nodeSelector: {kubernetes.io/hostname: $2}
  tolerations: [{operator: Exists}]
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: $busybox_image
    imagePullPolicy: Never
    command: ["/bin/busybox", "sh", "-c", "$3"]
YAML
}

check_service() {
    cat <<YAML
---
apiVersion: v1
kind: Service
metadata: {name: check-web}
spec:
  selector: {app: check-web}
  ports: [{port: 80, targetPort: $check_port}]
YAML
}

default_account_exists() { in_master_kubectl get serviceaccount default -o name; }
service_has_endpoint() { [[ -n $(in_master_kubectl get endpoints check-web -o 'jsonpath={.subsets[*].addresses[*].ip}') ]]; }

# fetch_from_pod URL: what the client pod gets. With timeout(1), because option -T crashes the wget of Debian's static busybox.
fetch_from_pod() { in_master_kubectl exec check-client -- /bin/busybox timeout 5 /bin/busybox wget -q -O - "$1"; }
fetch_is_web() { [[ $(fetch_from_pod "$1") == "hello from check-web" ]]; }
logs_work() { [[ $(in_master_kubectl logs check-client) == "client is up" ]]; }

# start_check_pods HOST_OF_WEB HOST_OF_CLIENT
start_check_pods() {
    wait_for 60 "the default service account" default_account_exists
    {
        check_pod check-web "$1" "echo hello from check-web >/www/index.html; exec /bin/busybox httpd -f -p $check_port -h /www"
        check_pod check-client "$2" "echo client is up; exec /bin/busybox sleep 2147483647"
        check_service
    } | in_master_kubectl apply -f -
    if ! in_master_kubectl wait --for=condition=Ready --timeout=120s pod/check-web pod/check-client; then
        in_master_kubectl describe pods || true
        host_journal "$cluster" "$1" kubelet "$runtime"
        return 1
    fi
    wait_for 30 "an endpoint of the service" service_has_endpoint
}

# Prints one line for each check that was really made.
run_checks() {
    local web=$1 client=$2 pod_ip service_ip
    start_check_pods "$web" "$client" >&2
    pod_ip=$(in_master_kubectl get pod check-web -o 'jsonpath={.status.podIP}')
    service_ip=$(in_master_kubectl get service check-web -o 'jsonpath={.spec.clusterIP}')
    wait_for 30 "HTTP from a pod on $client to the pod $pod_ip on $web" fetch_is_web "http://$pod_ip:$check_port/"
    say "pod to pod:      a pod on $client got http://$pod_ip:$check_port/ from a pod on $web"
    wait_for 30 "HTTP from a pod on $client to the service address $service_ip" fetch_is_web "http://$service_ip/"
    say "pod to service:  a pod on $client got http://$service_ip/ through kube-proxy from the pod on $web"
    wait_for 30 "kubectl logs of the pod on $client" logs_work
    say "logs and exec:   kubectl exec and kubectl logs reached the kubelet on $client"
}

remove_check_pods() { in_master_kubectl delete --ignore-not-found --wait=true --timeout=60s pod/check-web pod/check-client service/check-web; }
