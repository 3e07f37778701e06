package webserver

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// For a server that listens on all addresses, ReachableAddress returns localhost with the server's
// port.
func TestReachableAddress(t *testing.T) {
	tests := []struct{ listening, want string }{
		{listening: "127.0.0.1:80", want: "127.0.0.1:80"},
		{listening: "[::1]:80", want: "[::1]:80"},
		{listening: "[::]:80", want: "localhost:80"},
		{listening: "0.0.0.0:80", want: "localhost:80"},
	}
	for _, tt := range tests {
		t.Run(tt.listening, func(t *testing.T) {
			address, err := net.ResolveTCPAddr("tcp", tt.listening)
			require.NoError(t, err)
			require.Equal(t, tt.want, ReachableAddress(address))
		})
	}
}
