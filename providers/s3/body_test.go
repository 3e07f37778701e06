package s3

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// If the profile of the server is not known to support CRC32C, Put and PutPart send a Content-MD5 with a body, unless
// TLS protects the body. The raw client and the SDK both do so.
func TestPutWithoutProfile(t *testing.T) {
	const text, md5OfText = "hello", "XUFAKrxLKna5cZ2REBfFkg=="
	tests := []struct {
		name    string
		tls     bool
		profile Profile // without a name, the driver keeps the profile of unknown servers
		wantMD5 string  // "": no header
	}{
		{name: "unknown server with TLS", tls: true},
		{name: "unknown server without TLS", wantMD5: md5OfText},
		{name: "profile of the user, with TLS", tls: true, profile: Profile{Name: "own"}},
		{name: "profile of the user, without TLS", profile: Profile{Name: "own"}, wantMD5: md5OfText},
		{
			name:    "profile that requires an MD5, with TLS",
			tls:     true,
			profile: Profile{Name: "own", ContentMD5: true},
			wantMD5: md5OfText,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var server *standIn
			var raw, sdk *objectDriver
			if tt.tls {
				server = &standIn{wiretest.NewTLSServer(t, withLength(stored))}
				raw, sdk = server.openDrivers(t, "unknown")
			} else {
				server = newStandIn(t, stored)
				raw = server.openDriver(t, "unknown")
				sdk = sdkOnly(raw)
			}

			// Each client sends an object and a part.
			for name, d := range map[string]*objectDriver{"raw client": raw, "SDK": sdk} {
				if tt.profile.Name != "" {
					d = d.WithProfile(tt.profile).(*objectDriver)
				}
				_, err := d.Put(t.Context(), wiretest.Put("k", text))
				require.NoError(t, err, name)
				_, err = d.PutPart(t.Context(), &driver.PartRequest{
					Key:    "k",
					Upload: "u",
					Number: 1,
					Body:   strings.NewReader(text),
					Size:   int64(len(text)),
					CRC32C: wiretest.CRC32C(text),
				})
				require.NoError(t, err, name)
			}

			require.Len(t, server.Requests(), 4, "each client must send an object and a part")
			for _, got := range server.Requests() {
				require.Equal(t, text, got.Body)
				require.Equal(t, signature.UnsignedPayload, got.Header.Get("X-Amz-Content-Sha256"))
				require.Equal(t, tt.wantMD5, got.Header.Get("Content-Md5"))
				for name := range got.Header {
					require.NotContains(t, strings.ToLower(name), "checksum", "some servers refuse it")
				}
			}
		})
	}
}

// Put sends a Content-MD5 even in a program that runs with GODEBUG=fips140=only, which forbids MD5
// for security.
func TestPutMD5UnderFIPS140(t *testing.T) {
	if !fips140.Enforced() {
		// Run only this test in a new process with FIPS 140.
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPutMD5UnderFIPS140$")
		command.Env = append(os.Environ(), "GODEBUG=fips140=only")
		data, err := command.CombinedOutput()
		require.NoError(t, err, "%s", data)
		return
	}

	tests := []struct {
		text string
		want string // the MD5 in base64
	}{
		{text: "", want: "1B2M2Y8AsgTpgAmY7PhCfg=="},
		{text: "hello", want: "XUFAKrxLKna5cZ2REBfFkg=="},
	}
	for _, tt := range tests {
		server := newStandIn(t, stored)
		d := server.openDriver(t, "unknown", func(c *Config) {
			c.SecretKey = "a secret that is as long as FIPS 140 wants"
		})
		require.True(t, usesRawClient(t, d))

		_, err := d.Put(t.Context(), wiretest.Put("k", tt.text))
		require.NoError(t, err)
		require.Equal(t, tt.want, server.Last(t).Header.Get("Content-Md5"))
	}
}

// Put and PutPart fail with ChecksumMismatch if the body does not match its checksum, for example
// because the file has changed. Without TLS, the driver hashes the body before it sends anything,
// so in this case it sends no request.
func TestPutBodyChanged(t *testing.T) {
	tests := []struct {
		name    string
		profile string
		size    int
	}{
		{name: "small body, unknown server", profile: "unknown", size: 5},
		{name: "large body, unknown server", profile: "unknown", size: 1 << 20},
		{name: "small body, B2", profile: "b2", size: 5},
		{name: "large body, B2", profile: "b2", size: 1 << 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, stored) // without TLS
			requirePutsMismatch(t, server.openDriver(t, tt.profile), tt.size)
			require.Empty(t, server.Requests())
		})
	}
}

// Over TLS, the driver hashes the body while it sends it. If the file has changed, Put and PutPart fail with
// ChecksumMismatch, and leave out the end of the body, so that the server stores nothing.
func TestPutBodyChangedOverTLS(t *testing.T) {
	for name, size := range map[string]int{"small body": 5, "large body": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			server := &standIn{wiretest.NewTLSServer(t, withLength(stored))}
			// One driver sends its requests with the raw client of this package, the other with the SDK's.
			raw, sdk := server.openDrivers(t, "unknown")
			requirePutsMismatch(t, raw, size)
			requirePutsMismatch(t, sdk, size)
			for _, got := range server.Requests() {
				require.Less(t, len(got.Body), size, "the body must be incomplete")
			}
		})
	}
}

// requirePutsMismatch puts an object and a part, each of the given size, with a checksum that does not match their
// last byte. It requires that both fail with ChecksumMismatch.
func requirePutsMismatch(t *testing.T, d *objectDriver, size int) {
	t.Helper()
	text := strings.Repeat("x", size)
	sum := wiretest.CRC32C(strings.Repeat("x", size-1) + "y")

	r := wiretest.Put("k", text)
	r.CRC32C = sum
	_, err := d.Put(t.Context(), r)
	require.Equal(t, storage.ChecksumMismatch, storage.CodeOf(err), "%v", err)
	require.NotErrorIs(t, err, storage.OutcomeUnknown)

	_, err = d.PutPart(t.Context(), &driver.PartRequest{
		Key:    "k",
		Upload: "u",
		Number: 1,
		Body:   strings.NewReader(text),
		Size:   int64(size),
		CRC32C: sum,
	})
	require.Equal(t, storage.ChecksumMismatch, storage.CodeOf(err), "%v", err)
}

// A peekedBody is a body with PeekAt, as the engine passes it. It counts the bytes that Read returned.
type peekedBody struct {
	*strings.Reader
	read int
}

func (b *peekedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read += n
	return n, err
}

func (b *peekedBody) PeekAt(p []byte, offset int64) (int, error) { return b.ReadAt(p, offset) }

// Put computes the checksum of a body by PeekAt. So Read returns each byte only once, when the byte
// is sent. The engine counts the bytes of Read as progress.
func TestPutHashesWithoutProgress(t *testing.T) {
	const size = 200 << 10
	text := strings.Repeat("x", size)
	for _, profile := range []string{"unknown", "b2"} {
		t.Run(profile, func(t *testing.T) {
			server := newStandIn(t, stored)
			body := &peekedBody{Reader: strings.NewReader(text)}
			r := wiretest.Put("k", text)
			r.Body = body

			_, err := server.openDriver(t, profile).Put(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, size, body.read, "each byte must be read once")
			require.Equal(t, text, server.Last(t).Body)
		})
	}
}
