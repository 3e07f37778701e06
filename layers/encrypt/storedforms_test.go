package encrypt_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/encrypt"
	"github.com/omnibucket/storage/memstore"
)

// A storedObject is an encrypted object in the form in which it is stored, and the identity that decrypts it.
type storedObject struct {
	Identity, Body string // Body is in base64
	Metadata       map[string]string
}

const storedText = "the text of an object that another version has encrypted"

// This test makes a new golden file for TestStoredFormsAreReadAndContinued. If
// OMNIBUCKET_STORED_FORMS is the path of a file, the test writes an object there that this version
// has encrypted.
func TestStoredFormIsWritten(t *testing.T) {
	path := os.Getenv("OMNIBUCKET_STORED_FORMS")
	if path == "" {
		t.Skip("OMNIBUCKET_STORED_FORMS is not set")
	}
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	keys, err := encrypt.ParseKeys(strings.NewReader(identity.String()))
	require.NoError(t, err)

	d := memstore.NewDriver(memstore.Config{})
	mustUpload(t, engine.New(d, driver.WithLayer(newLayer(t, keys))), "k", storedText)

	attrs, body, err := d.Get(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.NoError(t, err)
	encrypted, err := io.ReadAll(body)
	require.NoError(t, err)

	golden, err := json.MarshalIndent(storedObject{
		Identity: identity.String(),
		Body:     base64.StdEncoding.EncodeToString(encrypted),
		Metadata: attrs.Metadata,
	}, "", "\t")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append(golden, '\n'), 0o600))
}

// This version reads the objects that earlier versions have encrypted, both before and after it has
// rewrapped them.
func TestStoredFormsAreReadAndContinued(t *testing.T) {
	commits := []string{"f63eaf37", "3595d2a5"} // of the versions that wrote the files
	for _, commit := range commits {
		t.Run(commit, func(t *testing.T) {
			golden, err := os.ReadFile("testdata/" + commit + ".json")
			require.NoError(t, err)
			var obj storedObject
			require.NoError(t, json.Unmarshal(golden, &obj))
			body, err := base64.StdEncoding.DecodeString(obj.Body)
			require.NoError(t, err)
			keys, err := encrypt.ParseKeys(strings.NewReader(obj.Identity))
			require.NoError(t, err)

			// The store has the object as that version wrote it.
			d := memstore.NewDriver(memstore.Config{})
			_, err = d.Put(t.Context(), &driver.PutRequest{
				Key:        "k",
				Body:       strings.NewReader(string(body)),
				Size:       int64(len(body)),
				Properties: storage.Properties{Metadata: obj.Metadata},
			})
			require.NoError(t, err)
			b := engine.New(d, driver.WithLayer(newLayer(t, keys)))

			// The second turn is after a Rewrap.
			for range 2 {
				data, _, err := storage.ReadAll(t.Context(), b, "k")
				require.NoError(t, err)
				require.Equal(t, storedText, string(data))
				_, err = encrypt.Rewrap(t.Context(), b, "k")
				require.NoError(t, err)
			}
		})
	}
}

// The header of a new object has the form of the one in the newest golden file. If the form has
// changed, see docs/maintainers/stored-forms.md.
func TestStoredFormHasGoldenFile(t *testing.T) {
	golden, err := os.ReadFile("testdata/3595d2a5.json")
	require.NoError(t, err)
	var o storedObject
	require.NoError(t, json.Unmarshal(golden, &o))
	keys, err := encrypt.ParseKeys(strings.NewReader(o.Identity))
	require.NoError(t, err)
	d := memstore.NewDriver(memstore.Config{})
	mustUpload(t, engine.New(d, driver.WithLayer(newLayer(t, keys))), "k", storedText)

	// The object has the same size as the one in the golden file.
	attrs, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.NoError(t, err)
	require.EqualValues(t, base64.StdEncoding.DecodedLen(len(o.Body)), attrs.Size)

	// Each value of the metadata is the same as in the golden file, except for its random bytes.
	random := regexp.MustCompile(`[A-Za-z0-9+/]{40,}`)
	for name, value := range o.Metadata {
		require.Equal(t, random.ReplaceAllString(value, "*"),
			random.ReplaceAllString(attrs.Metadata[name], "*"), name)
	}
	require.Len(t, attrs.Metadata, len(o.Metadata))
}
