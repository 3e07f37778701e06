package encrypt_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/layers/encrypt"
)

// ageFile returns an object of the store as a file of age: its header, the nonce and the body. In the metadata, the
// last line of the header has the nonce and the proof of the object's name, in base64.
func ageFile(t testing.TB, o stored) []byte {
	end := strings.LastIndex(o.header(), "|") + 1
	header := strings.ReplaceAll(o.header()[:end], "|", "\n")
	tail, err := base64.RawStdEncoding.DecodeString(o.header()[end:])
	require.NoError(t, err)
	return slices.Concat([]byte(header), tail[:nonceBytes], o.body)
}

// An ageKey decrypts with identity what was encrypted for recipient.
type ageKey struct {
	recipient age.Recipient
	identity  age.Identity
}

// newIdentities returns a new key of each kind of age, by their names.
func newIdentities(t testing.TB) map[string]ageKey {
	x25519, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	hybrid, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	passphrase, err := age.NewScryptRecipient("correct horse")
	require.NoError(t, err)
	passphrase.SetWorkFactor(10) // fast, and unsafe
	scrypt, err := age.NewScryptIdentity("correct horse")
	require.NoError(t, err)
	return map[string]ageKey{
		"X25519":     {recipient: x25519.Recipient(), identity: x25519},
		"hybrid":     {recipient: hybrid.Recipient(), identity: hybrid},
		"passphrase": {recipient: passphrase, identity: scrypt},
	}
}

// nonceBytes is the size of the nonce that precedes the content in a file of age.
const nonceBytes = 16

// sizes are the sizes of contents whose last chunk is empty, full or partly filled.
var sizes = []int{0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk, 3*chunk + 17}

// Each stored object is a file of age. The age package decrypts it, however the object was
// uploaded.
func TestAgeDecryptsStoredObject(t *testing.T) {
	for name, keys := range newIdentities(t) {
		for _, size := range sizes {
			t.Run(fmt.Sprintf("%s, %d bytes", name, size), func(t *testing.T) {
				s := newStore()
				b := s.open(t, encrypt.NewKeys([]age.Recipient{keys.recipient}, []age.Identity{keys.identity}))

				// Upload the content in one request, and upload it in parts. Do both with a known
				// size and as a stream.
				content := randomText(size)
				mustUpload(t, b, "one", content)
				mustUpload(t, b, "stream", content, storage.WithSize(int64(size)))
				mustUpload(t, b, "parts", content, storage.WithPartSize(chunk))
				stream := io.MultiReader(strings.NewReader(content)) // hides the size
				_, err := b.Upload(t.Context(), "stream in parts", stream, storage.WithPartSize(chunk))
				require.NoError(t, err)

				for _, key := range []string{"one", "stream", "parts", "stream in parts"} {
					r, err := age.Decrypt(bytes.NewReader(ageFile(t, s.get(t, key))), keys.identity)
					require.NoError(t, err, key)
					got, err := io.ReadAll(r)
					require.NoError(t, err, key)
					require.True(t, content == string(got), key)
				}
			})
		}
	}
}

// newStoredObject turns a file of the program age into an object of a store, under the key. It adds
// the proof of the name, which age does not have.
func newStoredObject(t testing.TB, file []byte, key string, identity age.Identity) stored {
	header, err := age.ExtractHeader(bytes.NewReader(file))
	require.NoError(t, err)
	payload := file[len(header):]
	nonce := payload[:nonceBytes]
	body := payload[nonceBytes:]

	// The proof is an HMAC of the nonce and the name, by a key that is derived from the data key.
	secret, err := age.DecryptHeader(header, identity)
	require.NoError(t, err)
	derived, err := hkdf.Key(sha256.New, secret, nil, "github.com/omnibucket/storage/layers/encrypt name", 32)
	require.NoError(t, err)
	mac := hmac.New(sha256.New, derived)
	_, _ = mac.Write(nonce)
	_, _ = mac.Write([]byte(key))

	lines := strings.ReplaceAll(string(header), "\n", "|")
	tail := base64.RawStdEncoding.EncodeToString(mac.Sum(bytes.Clone(nonce)))
	return stored{
		body:     body,
		metadata: map[string]string{headerName: lines + tail},
	}
}

// With only an identity of age, the layer reads objects that the age package has encrypted, but writes none.
func TestAgeFilesAreRead(t *testing.T) {
	for name, keys := range newIdentities(t) {
		t.Run(name, func(t *testing.T) {
			s := newStore()
			b := s.open(t, encrypt.NewKeys(nil, []age.Identity{keys.identity}))

			for _, size := range sizes {
				// The content is encrypted without the layer.
				content := randomText(size)
				var file bytes.Buffer
				w, err := age.Encrypt(&file, keys.recipient)
				require.NoError(t, err)
				_, err = io.WriteString(w, content)
				require.NoError(t, err)
				require.NoError(t, w.Close())
				s.put(t, "a", newStoredObject(t, file.Bytes(), "a", keys.identity))

				got, attrs, err := storage.ReadAll(t.Context(), b, "a")
				require.NoError(t, err, "%d bytes", size)
				require.True(t, content == string(got), "%d bytes", size)
				require.Equal(t, int64(size), attrs.Size)
			}

			// Only a recipient can encrypt.
			_, err := b.Upload(t.Context(), "b", strings.NewReader("x"))
			require.ErrorIs(t, err, storage.PermissionDenied)
		})
	}
}

// Keys that have recipients but no identity can write objects, but not read them.
func TestKeysForWriting(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	s := newStore()
	content := randomText(3 * chunk)
	b := s.open(t, encrypt.NewKeys([]age.Recipient{identity.Recipient()}, nil))
	mustUpload(t, b, "parts", content, storage.WithPartSize(chunk))

	_, _, err = storage.ReadAll(t.Context(), b, "parts")
	require.ErrorIs(t, err, storage.PermissionDenied)
	got, _, err := storage.ReadAll(t.Context(),
		s.open(t, encrypt.NewKeys(nil, []age.Identity{identity})), "parts")
	require.NoError(t, err)
	require.Equal(t, content, string(got))
}

// Upload fails if the recipients do not fit together, or if they return invalid stanzas.
func TestKeysThatDoNotFit(t *testing.T) {
	identities := newIdentities(t)
	x25519 := identities["X25519"].recipient
	tests := []struct {
		name       string
		recipients []age.Recipient
		want       storage.Code
	}{
		{
			name:       "X25519 beside a passphrase",
			recipients: []age.Recipient{x25519, identities["passphrase"].recipient},
			want:       storage.InvalidArgument,
		},
		{
			name:       "X25519 beside a hybrid key",
			recipients: []age.Recipient{identities["hybrid"].recipient, x25519},
			want:       storage.InvalidArgument,
		},
		{
			name:       "a stanza with the character that replaces newlines",
			recipients: []age.Recipient{stanza("a|b")},
			want:       storage.Internal,
		},
		{
			name:       "a stanza of two lines",
			recipients: []age.Recipient{stanza("a\n-> b")},
			want:       storage.Internal,
		},
		{
			name:       "a stanza with a space",
			recipients: []age.Recipient{stanza("a b")},
			want:       storage.Internal,
		},
		{
			name:       "no stanza",
			recipients: []age.Recipient{stanza("")},
			want:       storage.Internal,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newStore().open(t, encrypt.NewKeys(tt.recipients, nil))
			_, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
		})
	}
}

// New refuses to work without keys, and ParseKeys refuses a file without a valid identity. The
// error does not show the text of the file.
func TestKeysAreRequired(t *testing.T) {
	_, err := encrypt.New(encrypt.Config{})
	require.ErrorIs(t, err, storage.InvalidArgument)

	for _, file := range []string{"", "# only a comment", "AGE-SECRET-KEY-1NONSENSE", "age1recipient"} {
		_, err = encrypt.ParseKeys(strings.NewReader(file))
		require.ErrorIs(t, err, storage.InvalidArgument, file)
		require.NotContains(t, err.Error(), "NONSENSE")
	}
}

// A stanza is a recipient of age. It writes one stanza of a header, whose argument is this text.
type stanza string

// Wrap returns one stanza with the argument s, or none if s is empty.
func (s stanza) Wrap([]byte) ([]*age.Stanza, error) {
	if s == "" {
		return nil, nil
	}
	return []*age.Stanza{{Type: "test", Args: []string{string(s)}}}, nil
}
