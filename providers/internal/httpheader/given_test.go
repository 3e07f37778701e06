package httpheader

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// IsName accepts a header name of ASCII letters, digits, dots, underscores and dashes that begins with a letter or a
// digit.
func TestIsName(t *testing.T) {
	tests := []struct {
		name string
		want bool
	}{
		{name: "x-goog-custom-audit-job", want: true},
		{name: "a", want: true},
		{name: "9", want: true},
		{name: "A.b_c-1", want: true},
		{name: "", want: false},
		{name: "-a", want: false},
		{name: ".a", want: false},
		{name: "_a", want: false},
		{name: "a b", want: false},
		{name: "a:b", want: false},
		{name: "a&b", want: false},
		{name: "a\n", want: false},
		{name: "é", want: false},
		{name: "aé", want: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, IsName(tt.name))
		})
	}
}

// IsPrintable accepts only printable ASCII characters, including the space.
func TestIsPrintable(t *testing.T) {
	tests := []struct {
		name  string
		value string
		want  bool
	}{
		{name: "empty", value: "", want: true},
		{name: "printable", value: "a ~", want: true},
		{name: "a newline", value: "a\nb", want: false},
		{name: "a tab", value: "a\tb", want: false},
		{name: "DEL", value: "\x7f", want: false},
		{name: "not ASCII", value: "é", want: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, IsPrintable(tt.value))
		})
	}
}
