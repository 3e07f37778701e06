package redact

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Secrets replaces the queries of addresses and the values of secret parameters.
func TestSecrets(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{name: "nothing", text: "connection refused", want: "connection refused"},
		{
			name: "a signed address",
			text: `Get "https://h/k?X-Amz-Signature=abc&x=1": EOF`,
			want: `Get "https://h/k?REDACTED": EOF`,
		},
		{
			name: "two addresses",
			text: "HTTP://h/k?a=b and https://i?c=d",
			want: "HTTP://h/k?REDACTED and https://i?REDACTED",
		},
		{name: "an address without a query", text: "https://h/k: a=b", want: "https://h/k: a=b"},
		{name: "a parameter", text: "sig=abc%2F&se=2030", want: "sig=REDACTED&se=2030"},
		{
			name: "a connection string",
			text: "AccountName=a;AccountKey=abc==;x",
			want: "AccountName=a;AccountKey=REDACTED;x",
		},
		{name: "a longer name", text: "design=blue", want: "design=blue"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, Secrets(tt.text))
		})
	}
}
