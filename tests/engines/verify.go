// Go's verifier, which kube-apiserver and kubelet use: `verify <<< "server|client CA.pem CERT.pem [NAME]"`, a line a certificate.
// Answers "ok" or "no: why", a line each. Standard library only.
package main

import (
	"bufio"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
)

func verify(fields []string) error {
	roots := x509.NewCertPool()
	ca, err := os.ReadFile(fields[1])
	if err != nil {
		return err
	}
	if !roots.AppendCertsFromPEM(ca) {
		return fmt.Errorf("no CA in %s", fields[1])
	}
	text, err := os.ReadFile(fields[2])
	if err != nil {
		return err
	}
	block, rest := pem.Decode(text)
	if block == nil || len(strings.TrimSpace(string(rest))) != 0 {
		return fmt.Errorf("not one certificate in %s", fields[2])
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	options := x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if fields[0] == "server" {
		options.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	if len(fields) > 3 {
		options.DNSName = fields[3]
	}
	_, err = certificate.Verify(options)
	return err
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if err := verify(strings.Fields(lines.Text())); err != nil {
			fmt.Println("no:", err)
		} else {
			fmt.Println("ok")
		}
	}
}
