// Beast's own code, compiled once here (BOOST_BEAST_SEPARATE_COMPILATION); Asio's is in common/async.
#include <boost/beast/src.hpp>
