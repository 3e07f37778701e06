package storagetest

import (
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

// signedPartCases are about requests that store one part of an open upload.
var signedPartCases = []Case{
	{
		Name: "a signed part stores one part", Rule: "U4",
		Explanation: "without credentials and with the signed checksum; Parts tells it, another checksum is refused, the object is made of signed and other parts, and nothing changes it later",
		Needs:       storage.OpenUploads | storage.SignedParts,
		run: func(t *T) {
			b := t.open()
			first, last := body(t.unit, 1), "end"
			begin := []storage.MultipartOption{storage.WithUncheckedParts()}
			if t.has(storage.SignedPartChecksums) {
				begin = nil
			}
			u := t.begin(b, "a", begin...)
			sign := func(number int, text string) *storage.SignedURL {
				opts := []storage.SignedPartOption{storage.WithTTL(time.Minute)}
				if t.has(storage.SignedPartChecksums) {
					opts = append(opts, storage.WithCRC32C(sum([]byte(text))))
				}
				signed, err := u.SignPart(t.Context(), number, opts...)
				require.NoError(t, err)
				return signed
			}
			signed, late := sign(1, first), sign(3, "late")
			require.Equal(t, http.MethodPut, signed.Method)
			require.WithinDuration(t, time.Now().Add(time.Minute), signed.ExpiresAt, 2*time.Minute)
			if t.has(storage.SignedPartChecksums) {
				require.GreaterOrEqual(t, t.do(signed, strings.NewReader("evil"), nil).status, 400)
			}
			response := t.do(signed, strings.NewReader(first), nil)
			require.Less(t, response.status, 300, response.body)
			t.putPart(u, 2, last)
			parts, err := u.Parts(t.Context())
			require.NoError(t, err)
			require.Len(t, parts, 2)
			require.EqualValues(t, len(first), parts[0].Size)
			require.Equal(t, response.header.Get("ETag"), parts[0].ETag)
			t.requireMissing(b, "a")
			_, err = u.Complete(t.Context(), storage.WithParts(parts...))
			require.NoError(t, err)
			t.requireContent(b, "a", first+last)
			t.do(late, strings.NewReader("late"), nil) // some stores cannot tell that the upload is completed
			t.requireContent(b, "a", first+last)
			require.Equal(t, []string{"a"}, t.keys(b))
		},
	},
	{
		Name: "a signed part allows only its own request", Rule: "U4",
		Explanation: "with another method, key, part number or upload, or a changed signature, the store refuses it and stores nothing",
		Needs:       storage.OpenUploads | storage.SignedParts,
		run: func(t *T) {
			b := t.open()
			u, other := t.begin(b, "a", storage.WithUncheckedParts()), t.begin(b, "a", storage.WithUncheckedParts())
			signed, err := u.SignPart(t.Context(), 1)
			require.NoError(t, err)
			of, err := other.SignPart(t.Context(), 2)
			require.NoError(t, err)
			changes := append([]tampering{
				{"another part with this signature", func(t *T, s *storage.SignedURL) {
					own := querySignature(t, s.URL)
					s.URL = of.URL
					tamperQuery(func(pairs []string, signature int) []string {
						pairs[signature] = own
						return pairs
					})(t, s)
				}},
			}, tamperings...)
			for _, change := range changes {
				altered := *signed
				change.change(t, &altered)
				require.GreaterOrEqual(t, t.do(&altered, strings.NewReader("evil"), nil).status, 400, change.name)
			}
			for _, upload := range []storage.MultipartUpload{u, other} {
				parts, err := upload.Parts(t.Context())
				require.NoError(t, err)
				require.Empty(t, parts)
			}
			require.Empty(t, t.keys(b))
		},
	},
	{
		Name: "a signed part binds what was signed", Rule: "U4",
		Explanation: "a size with SignedSize, else it is Unsupported; a checksum unless WithUncheckedParts; numbers are in range, and signing needs its permission; no request is made",
		Needs:       storage.OpenUploads | storage.SignedParts,
		run: func(t *T) {
			b := t.open()
			u := t.begin(b, "a")
			crc := storage.WithCRC32C(sum([]byte("text")))
			refused := func(code storage.Code, u storage.MultipartUpload, number int, opts ...storage.SignedPartOption) {
				t.Helper()
				t.requireNoRequests(func() {
					_, err := u.SignPart(t.Context(), number, opts...)
					t.requireCode(err, code)
				})
			}
			refused(storage.InvalidArgument, u, 0, crc)
			refused(storage.InvalidArgument, u, 1)
			refused(storage.InvalidArgument, u, 1, crc, storage.WithTTL(0))
			refused(storage.InvalidArgument, u, 1, crc, storage.WithSize(-1))
			refused(storage.PermissionDenied, t.continued(storage.Ref[storage.Uploader](b), u), 1, crc)
			for _, feature := range []storage.Features{storage.SignedParts, storage.SignedPartChecksums} {
				limited := t.openLimited(faults.Limits{Disable: feature})
				refused(storage.Unsupported, t.begin(limited, "a"), 1, crc)
			}
			limited := t.openLimited(faults.Limits{Disable: storage.SignedSize})
			refused(storage.Unsupported, t.begin(limited, "a", storage.WithUncheckedParts()), 1, storage.WithSize(4))
			if t.has(storage.SignedSize) {
				u := t.begin(b, "s", storage.WithUncheckedParts())
				signed, err := u.SignPart(t.Context(), 1, storage.WithSize(4))
				require.NoError(t, err)
				require.GreaterOrEqual(t, t.do(signed, strings.NewReader("longer"), nil).status, 400)
				require.Less(t, t.do(signed, strings.NewReader("text"), nil).status, 300)
			}

			u = t.begin(b, "b", storage.WithUncheckedParts(), storage.WithMaxSize(10))
			refused(storage.InvalidArgument, u, 1, crc)
			signed, err := u.SignPart(t.Context(), 1)
			require.NoError(t, err)
			response := t.do(signed, strings.NewReader("text"), nil)
			require.Less(t, response.status, 300, response.body)
			_, err = u.Complete(t.Context())
			require.NoError(t, err)
			t.requireContent(b, "b", "text")

			u = t.begin(b, "c", storage.WithUncheckedParts(), storage.WithMaxSize(10))
			signed, err = u.SignPart(t.Context(), 1)
			require.NoError(t, err)
			require.Less(t, t.do(signed, strings.NewReader("more than ten bytes"), nil).status, 300)
			_, err = u.Complete(t.Context())
			t.requireCode(err, storage.InvalidArgument)
			t.requireMissing(b, "c")
		},
	},
	{
		Name: "a signed part expires", Rule: "U4",
		Explanation: "after its TTL the store refuses it",
		Needs:       storage.OpenUploads | storage.SignedParts,
		run: func(t *T) {
			b := t.open()
			u := t.begin(b, "a", storage.WithUncheckedParts())
			signed, err := u.SignPart(t.Context(), 1, storage.WithTTL(time.Second))
			require.NoError(t, err)
			require.Eventually(t, func() bool { return t.do(signed, strings.NewReader("x"), nil).status >= 400 }, time.Minute, 200*time.Millisecond)
			require.False(t, time.Now().Before(signed.ExpiresAt), "it must work until it expires")
			require.NoError(t, u.Abort(t.Context()))
		},
	},
}

// querySignature returns the pair of the query that has the signature.
func querySignature(t *T, address string) string {
	_, query, _ := strings.Cut(address, "?")
	pairs := strings.Split(query, "&")
	return pairs[signatureIn(t, pairs)]
}
