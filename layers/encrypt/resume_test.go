package encrypt_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/encrypt"
)

// An upload that is resumed with other keys or layers begins again, and the parts of the first attempt
// are removed.
func TestWithResumeOfOtherKeysStartsOver(t *testing.T) {
	first := newKeys(t)
	second := newKeys(t)
	sealed := func(keys encrypt.Keys) []storage.OpenOption {
		return []storage.OpenOption{driver.WithLayer(newLayer(t, keys))}
	}
	tests := map[string]struct{ before, after []storage.OpenOption }{
		"other keys":                 {sealed(first), sealed(second)},
		"without the layer":          {sealed(first), nil},
		"with the layer, not before": {nil, sealed(first)},
		"keys that can only be written": {sealed(first), sealed(encrypt.JoinKeys([]encrypt.Keys{first},
			nil))},
	}
	for name, tt := range tests {
		for form, body := range map[string]func(string) io.Reader{
			"in place": func(text string) io.Reader { return strings.NewReader(text) },
			"a stream": func(text string) io.Reader { return struct{ io.Reader }{strings.NewReader(text)} },
		} {
			t.Run(name+"/"+form, func(t *testing.T) {
				s := newStore()
				content := randomText(4 * chunk)
				opts := []storage.UploadOption{storage.WithResume(t.TempDir() + "/upload"), storage.WithPartSize(chunk),
					storage.WithConcurrency(1)}

				// The first attempt is interrupted at the third part.
				failing := engine.New(&recorder{
					Driver: s.Driver,
					failAt: 3,
					record: func(*driver.PartRequest, string) {},
				}, tt.before...)
				_, err := failing.Upload(t.Context(), "a", body(content), opts...)
				require.ErrorIs(t, err, storage.PermissionDenied)
				require.Len(t, pendingNames(t, s), 1)

				// The second attempt begins again, and removes the first one's parts.
				b := engine.New(s.Driver, tt.after...)
				_, err = b.Upload(t.Context(), "a", body(content), opts...)
				// The upload notices the other keys after it has read from the body. A stream cannot be read again.
				if err != nil && form == "a stream" {
					require.ErrorIs(t, err, storage.Unavailable)
					require.ErrorContains(t, err, "make the same call again")
					_, err = b.Upload(t.Context(), "a", body(content), opts...)
				}
				require.NoError(t, err)

				require.Empty(t, pendingNames(t, s), "parts are paid for")
				// Keys that only encrypt cannot read the object.
				if name != "keys that can only be written" {
					got, _, err := storage.ReadAll(t.Context(), b, "a")
					require.NoError(t, err)
					require.Equal(t, content, string(got))
				}
			})
		}
	}
}

// pendingNames returns the uploads that the store has.
func pendingNames(t testing.TB, s store) (names []string) {
	for entry, err := range storage.ListUploads(t.Context(), engine.New(s.Driver)) {
		require.NoError(t, err)
		names = append(names, fmt.Sprint(entry))
	}
	return names
}
