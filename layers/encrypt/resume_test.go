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
	firstKeys := newKeys(t)
	secondKeys := newKeys(t)
	onlyEncrypting := encrypt.JoinKeys([]encrypt.Keys{firstKeys}, nil)
	var noKeys encrypt.Keys // opens the store without the layer
	open := func(d driver.Driver, keys encrypt.Keys) storage.Bucket {
		if keys == noKeys {
			return engine.New(d)
		}
		return engine.New(d, driver.WithLayer(newLayer(t, keys)))
	}

	tests := []struct {
		name       string
		keysBefore encrypt.Keys // of the first attempt
		keysAfter  encrypt.Keys // of the second one
		unreadable bool         // the keys of the second attempt cannot read the object
	}{
		{name: "other keys", keysBefore: firstKeys, keysAfter: secondKeys},
		{name: "the layer is removed", keysBefore: firstKeys, keysAfter: noKeys},
		{name: "the layer is added", keysBefore: noKeys, keysAfter: firstKeys},
		{name: "keys that only encrypt", keysBefore: firstKeys, keysAfter: onlyEncrypting, unreadable: true},
	}
	for _, tt := range tests {
		for _, isStream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, from a stream %v", tt.name, isStream), func(t *testing.T) {
				s := newStore()
				content := randomText(4 * chunk)
				opts := []storage.UploadOption{
					storage.WithResume(t.TempDir() + "/upload"), storage.WithPartSize(chunk),
					storage.WithConcurrency(1),
				}
				upload := func(b storage.Bucket) error {
					var body io.Reader = strings.NewReader(content)
					if isStream {
						body = struct{ io.Reader }{body} // hides Seek
					}
					_, err := b.Upload(t.Context(), "a", body, opts...)
					return err
				}

				// The first attempt is interrupted at the third part. Its parts stay in the store.
				const interruptedPart = 3
				recordNothing := func(*driver.PartRequest, string) {}
				failing := &recorder{Driver: s.Driver, failAt: interruptedPart, record: recordNothing}
				require.ErrorIs(t, upload(open(failing, tt.keysBefore)), storage.PermissionDenied)
				require.Len(t, pendingNames(t, s), 1)

				// The second attempt begins again. It may notice the other keys after it has read from a stream, which
				// cannot be read again. Then a third attempt is necessary.
				b := open(s.Driver, tt.keysAfter)
				err := upload(b)
				if err != nil && isStream {
					require.ErrorIs(t, err, storage.Unavailable)
					require.ErrorContains(t, err, "make the same call again")
					err = upload(b)
				}
				require.NoError(t, err)
				require.Empty(t, pendingNames(t, s), "parts that stay would be paid for")

				if !tt.unreadable {
					got, _, err := storage.ReadAll(t.Context(), b, "a")
					require.NoError(t, err)
					require.Equal(t, content, string(got))
				}
			})
		}
	}
}

// pendingNames returns the names of the uploads in progress in a store.
func pendingNames(t testing.TB, s store) (names []string) {
	for entry, err := range storage.ListUploads(t.Context(), engine.New(s.Driver)) {
		require.NoError(t, err)
		names = append(names, fmt.Sprint(entry))
	}
	return names
}
