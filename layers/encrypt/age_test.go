package encrypt_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/layers/encrypt"
)

// ageFile returns what the store has of an object as a file of age: its header, the nonce and the body.
func ageFile(t testing.TB, o stored) []byte {
	end := strings.LastIndex(o.header(), "|") + 1
	tail, err := base64.RawStdEncoding.DecodeString(o.header()[end:])
	require.NoError(t, err)
	return append(append([]byte(strings.ReplaceAll(o.header()[:end], "|", "\n")), tail[:16]...), o.body...)
}

func newIdentities(t testing.TB) map[string]struct {
	recipient age.Recipient
	identity  age.Identity
} {
	x, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	hybrid, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	passphrase, err := age.NewScryptRecipient("correct horse")
	require.NoError(t, err)
	passphrase.SetWorkFactor(10)
	scrypt, err := age.NewScryptIdentity("correct horse")
	require.NoError(t, err)
	return map[string]struct {
		recipient age.Recipient
		identity  age.Identity
	}{"X25519": {x.Recipient(), x}, "hybrid": {hybrid.Recipient(), hybrid}, "passphrase": {passphrase, scrypt}}
}

var sizes = []int{0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk, 3*chunk + 17}

// The command age decrypts a stored object.
func TestAgeDecryptsStoredObject(t *testing.T) {
	for name, keys := range newIdentities(t) {
		s := newStore()
		b := s.open(t, encrypt.NewKeys([]age.Recipient{keys.recipient}, []age.Identity{keys.identity}))
		for _, size := range sizes {
			content := text(size)
			mustUpload(t, b, "one", content)
			mustUpload(t, b, "stream", content, storage.WithSize(int64(size)))
			mustUpload(t, b, "parts", content, storage.WithPartSize(chunk))
			_, err := b.Upload(t.Context(), "stream in parts",
				io.MultiReader(strings.NewReader(content)), storage.WithPartSize(chunk))
			require.NoError(t, err)
			for _, key := range []string{"one", "stream", "parts", "stream in parts"} {
				r, err := age.Decrypt(bytes.NewReader(ageFile(t, s.get(t, key))), keys.identity)
				require.NoError(t, err, "%s, %s of %d bytes", name, key, size)
				got, err := io.ReadAll(r)
				require.NoError(t, err, "%s, %s of %d bytes", name, key, size)
				require.True(t, content == string(got), "%s, %s of %d bytes", name, key, size)
			}
		}
	}
}

// newStoredObject returns a file of age as the object key of a store. Only the proof of the name is not age's.
func newStoredObject(t testing.TB, file []byte, key string, identity age.Identity) stored {
	header, err := age.ExtractHeader(bytes.NewReader(file))
	require.NoError(t, err)
	secret, err := age.DecryptHeader(header, identity)
	require.NoError(t, err)
	derived, err := hkdf.Key(sha256.New, secret, nil, "github.com/omnibucket/storage/layers/encrypt name", 32)
	require.NoError(t, err)
	nonce := file[len(header) : len(header)+16]
	body := file[len(header)+16:]
	proof := hmac.New(sha256.New, derived)
	proof.Write(nonce)
	proof.Write([]byte(key))
	return stored{body, map[string]string{
		headerName: strings.ReplaceAll(string(header), "\n",
			"|") + base64.RawStdEncoding.EncodeToString(proof.Sum(bytes.Clone(nonce))),
	}}
}

// The layer reads objects that the command age has encrypted.
func TestAgeFilesAreRead(t *testing.T) {
	for name, keys := range newIdentities(t) {
		s := newStore()
		b := s.open(t, encrypt.NewKeys(nil, []age.Identity{keys.identity}))

		for _, size := range sizes {
			content := text(size)
			var file bytes.Buffer
			w, err := age.Encrypt(&file, keys.recipient)
			require.NoError(t, err)
			_, err = io.WriteString(w, content)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			s.put(t, "a", newStoredObject(t, file.Bytes(), "a", keys.identity))

			got, attrs, err := storage.ReadAll(t.Context(), b, "a")
			require.NoError(t, err, "%s, %d bytes", name, size)
			require.True(t, content == string(got), "%s, %d bytes", name, size)
			require.Equal(t, int64(size), attrs.Size)
		}

		_, err := b.Upload(t.Context(), "b", strings.NewReader("x"))
		require.ErrorIs(t, err, storage.PermissionDenied, "without a recipient")
	}
}

// Keys with recipients but no identity can write objects, and cannot read them.
func TestKeysForWriting(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	s := newStore()
	content := text(3 * chunk)
	b := s.open(t, encrypt.NewKeys([]age.Recipient{identity.Recipient()}, nil))
	mustUpload(t, b, "parts", content, storage.WithPartSize(chunk))

	_, _, err = storage.ReadAll(t.Context(), b, "parts")
	require.ErrorIs(t, err, storage.PermissionDenied)
	got, _, err := storage.ReadAll(t.Context(),
		s.open(t, encrypt.NewKeys(nil, []age.Identity{identity})), "parts")
	require.NoError(t, err)
	require.Equal(t, content, string(got))
}

// If the recipients do not fit together or return invalid stanzas, Upload fails. New needs keys, and ParseKeys
// refuses a file without a valid identity.
func TestKeysThatDoNotFit(t *testing.T) {
	ids := newIdentities(t)
	tests := map[string]struct {
		recipients []age.Recipient
		want       storage.Code
	}{
		"X25519 beside a passphrase": {
			[]age.Recipient{ids["X25519"].recipient, ids["passphrase"].recipient},
			storage.InvalidArgument,
		},
		"X25519 beside a hybrid key": {
			[]age.Recipient{ids["hybrid"].recipient, ids["X25519"].recipient},
			storage.InvalidArgument,
		},
		"a stanza that has the newline": {[]age.Recipient{stanza("a|b")}, storage.Internal},
		"a stanza of two lines":         {[]age.Recipient{stanza("a\n-> b")}, storage.Internal},
		"a stanza with a space":         {[]age.Recipient{stanza("a b")}, storage.Internal},
		"no stanza":                     {[]age.Recipient{stanza("")}, storage.Internal},
	}
	for name, tt := range tests {
		b := newStore().open(t, encrypt.NewKeys(tt.recipients, nil))
		_, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
		require.Equal(t, tt.want, storage.CodeOf(err), "%s: %v", name, err)
	}

	_, err := encrypt.New(encrypt.Config{})
	require.ErrorIs(t, err, storage.InvalidArgument)
	for _, file := range []string{"", "# only a comment", "AGE-SECRET-KEY-1NONSENSE", "age1recipient"} {
		_, err = encrypt.ParseKeys(strings.NewReader(file))
		require.ErrorIs(t, err, storage.InvalidArgument, file)
		require.NotContains(t, err.Error(), "NONSENSE")
	}
}

// A stanza is a recipient that writes one with this argument.
type stanza string

func (s stanza) Wrap([]byte) ([]*age.Stanza, error) {
	if s == "" {
		return nil, nil
	}
	return []*age.Stanza{{Type: "test", Args: []string{string(s)}}}, nil
}
