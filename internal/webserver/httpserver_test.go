package httpserver

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// If a server listens on all addresses, ReachableAddress returns localhost with its port.
func TestReachableAddress(t *testing.T) {
	for _, row := range []struct{ listening, want string }{
		{"127.0.0.1:80", "127.0.0.1:80"}, {"[::1]:80", "[::1]:80"}, {"[::]:80", "localhost:80"}, {"0.0.0.0:80", "localhost:80"},
	} {
		address, err := net.ResolveTCPAddr("tcp", row.listening)
		require.NoError(t, err)
		require.Equal(t, row.want, ReachableAddress(address))
	}
}
