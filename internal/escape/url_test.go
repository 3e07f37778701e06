package escape_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/escape"
)

// Path escapes a key for use in the path of a URL.
func TestEscape(t *testing.T) {
	for key, want := range map[string]string{
		"a/b-c_d.e~f": "a/b-c_d.e~f",
		"a b+c%":      "a%20b%2Bc%25",
		"é?#":         "%C3%A9%3F%23",
	} {
		t.Run(key, func(t *testing.T) {
			require.Equal(t, want, escape.Path(key))
		})
	}
}

// FuzzEscape escapes any key, and requires that it unescapes to the key.
func FuzzEscape(f *testing.F) {
	f.Add("a/b c+d%é")
	f.Fuzz(func(t *testing.T, key string) {
		back, err := url.PathUnescape(escape.Path(key))
		require.NoError(t, err)
		require.Equal(t, key, back)
	})
}
