package caddy

import (
	"os"
	"strconv"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/smallstep/certificates/acme"
)

const (
	// asCaddy is an environment variable that makes the test program run as Caddy.
	asCaddy = "OMNIBUCKET_RUN_CADDY"
	// alpnPort is an environment variable with the port at which the CA checks tls-alpn-01. For
	// other CAs it is always 443.
	alpnPort = "OMNIBUCKET_ALPN_PORT"
)

// TestMain runs Caddy with the modules of this package in place of the tests if asCaddy is set. The tests start this
// program in that way.
func TestMain(m *testing.M) {
	if os.Getenv(asCaddy) == "" {
		os.Exit(m.Run())
	}
	acme.InsecurePortTLSALPN01, _ = strconv.Atoi(os.Getenv(alpnPort))
	caddycmd.Main()
}
