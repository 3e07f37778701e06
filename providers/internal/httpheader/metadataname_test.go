package httpheader_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/providers/internal/httpheader"
)

// An escaped metadata name is read as it was written, even from Ceph RGW 16, which returns "-" for
// "_", and Azure, which has no "-".
func TestEscapeRoundTrip(t *testing.T) {
	tests := []struct {
		name       string
		mark, lost byte   // as NewNameEscaper takes them
		pattern    string // of escaped names
	}{
		{name: "without underscores", mark: '-', lost: '_', pattern: `^[a-zA-Z0-9-]+$`},
		{name: "without dashes", mark: '_', lost: '-', pattern: `^[a-zA-Z0-9_]+$`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			names := httpheader.NewNameEscaper(tt.mark, tt.lost)
			originals := map[string]string{}
			for _, name := range []string{
				"a", "a1", "a-b", "a_b", "a--b", "a__b", "a-", "a_", "a_-", "a-_",
				"a_x", "a-x", "a_xray", "a-xray", "a_x00", "a-x00", "a_x-x_", "x_x_x", "x-x-x",
				"a_x002d_b", "a-x005f-b", "a_x002d-", "a-x005f_", "a_x005f_", "a-x002d-",
				"a__x002d__", "a--x005f--", "a-x005f-x002d-",
			} {
				value := names.Escape(name)
				require.Regexp(t, regexp.MustCompile(tt.pattern), value, name)
				require.Equal(t, name, names.Unescape(value))
				require.NotContains(t, originals, value, "two names have one escaped form")
				originals[value] = name
			}
		})
	}
}

// Only names with the lost character are escaped. A name that was stored unescaped is read as it is.
func TestEscapeLeavesOtherNames(t *testing.T) {
	names := httpheader.NewNameEscaper('-', '_')
	require.Equal(t, "owner-x005F-id", names.Escape("owner_id"))
	require.Equal(t, "owner-id", names.Escape("owner-id"))
	require.Equal(t, "old_name", names.Unescape("old_name"))
}
