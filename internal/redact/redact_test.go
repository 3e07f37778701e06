package redact

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSecrets(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", "connection refused", "connection refused"},
		{"a signed address", `Get "https://h/k?X-Amz-Signature=abc&x=1": EOF`, `Get "https://h/k?REDACTED": EOF`},
		{"two addresses", "HTTP://h/k?a=b and https://i?c=d", "HTTP://h/k?REDACTED and https://i?REDACTED"},
		{"an address without a query", "https://h/k: a=b", "https://h/k: a=b"},
		{"a parameter", "sig=abc%2F&se=2030", "sig=REDACTED&se=2030"},
		{"a connection string", "AccountName=a;AccountKey=abc==;x", "AccountName=a;AccountKey=REDACTED;x"},
		{"a longer name", "design=blue", "design=blue"},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, Secrets(tt.text), tt.name)
	}
}
