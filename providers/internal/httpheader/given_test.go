package httpheader

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNamesThatCallersGive(t *testing.T) {
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

func TestPrintableValues(t *testing.T) {
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
