package httpheader

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The name of a header that a caller gives has letters, digits and a few signs.
func TestIsName(t *testing.T) {
	for name, want := range map[string]bool{
		"x-goog-custom-audit-job": true,
		"a":                       true,
		"9":                       true,
		"A.b_c-1":                 true,
		"":                        false,
		"-a":                      false,
		".a":                      false,
		"_a":                      false,
		"a b":                     false,
		"a:b":                     false,
		"a&b":                     false,
		"a\n":                     false,
		"\u00e9":                  false,
		"a\u00e9":                 false,
	} {
		require.Equal(t, want, IsName(name), "%q", name)
	}
}

// A printable value has only printable ASCII characters.
func TestIsPrintable(t *testing.T) {
	for value, want := range map[string]bool{
		"":       true,
		"a ~":    true,
		"a\nb":   false,
		"a\tb":   false,
		"\x7f":   false,
		"\u00e9": false,
	} {
		require.Equal(t, want, IsPrintable(value), "%q", value)
	}
}
