package encrypt_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/encrypt"
	"github.com/omnibucket/storage/layers/meter"
	"github.com/omnibucket/storage/memstore"
)

const (
	headerName  = "omnibucketage"
	chunk       = 64 << 10
	sealedChunk = chunk + 16
)

// A store belongs to the attacker, who can read and replace whatever it holds.
type store struct{ driver.Driver }

// newStore returns a store in memory.
func newStore() store { return store{memstore.NewDriver(memstore.Config{})} }

// open opens a bucket that encrypts with these keys.
func (s store) open(t testing.TB, keys encrypt.Keys) storage.Bucket {
	return engine.New(s.Driver, driver.WithLayer(newLayer(t, keys)))
}

// A stored object is an object in the form in which the store keeps it. Its header has the wrapped data key. The lines
// of the header end with "|".
type stored struct {
	body     []byte
	metadata map[string]string
}

// header returns the header with the wrapped data key.
func (o stored) header() string { return o.metadata[headerName] }

// takeHeaderLines replaces lines of the header by those of another object. Line 0 is the version of the format.
func (o *stored) takeHeaderLines(other stored, indexes ...int) {
	lines := strings.Split(o.header(), "|")
	otherLines := strings.Split(other.header(), "|")
	for _, i := range indexes {
		lines[i] = otherLines[i]
	}
	o.metadata = map[string]string{headerName: strings.Join(lines, "|")}
}

// get returns an object in the form in which the store keeps it.
func (s store) get(t testing.TB, key string) stored {
	attrs, body, err := s.Get(t.Context(), &driver.GetRequest{Key: key, Length: -1})
	require.NoError(t, err)
	data, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	return stored{data, attrs.Metadata}
}

// put replaces an object of the store.
func (s store) put(t testing.TB, key string, o stored) {
	_, err := s.Put(t.Context(), &driver.PutRequest{
		Key:        key,
		Body:       bytes.NewReader(o.body),
		Size:       int64(len(o.body)),
		Properties: storage.Properties{Metadata: o.metadata},
	})
	require.NoError(t, err)
}

// randomText returns a random content of a size.
func randomText(size int) string {
	data := make([]byte, size)
	_, _ = rand.Read(data)
	return string(data)
}

// mustUpload uploads an object.
func mustUpload(
	t testing.TB, b storage.Bucket, key, content string, opts ...storage.UploadOption,
) *storage.Attrs {
	attrs, err := b.Upload(t.Context(), key, strings.NewReader(content), opts...)
	require.NoError(t, err)
	return attrs
}

// withBitFlipped returns the text with one bit changed in its i-th byte.
func withBitFlipped(text string, i int) string {
	data := []byte(text)
	data[i] ^= 1
	return string(data)
}

// With keys of age, an attacker can replace an object by one from another bucket, but only under the same
// name, because age proves the name and not the bucket.
func TestKeysOfAgeProveOnlyName(t *testing.T) {
	keys := newKeys(t)
	s := newStore()
	otherBucket := store{memstore.NewDriver(memstore.Config{Bucket: "another"})}
	mustUpload(t, s.open(t, keys), "k", "of this bucket")
	mustUpload(t, otherBucket.open(t, keys), "k", "of another bucket")
	copied := otherBucket.get(t, "k") // in its encrypted form

	// Under the same name, the attack succeeds.
	s.put(t, "k", copied)
	data, _, err := storage.ReadAll(t.Context(), s.open(t, keys), "k")
	require.NoError(t, err)
	require.Equal(t, "of another bucket", string(data))

	// Under another name, it fails.
	s.put(t, "another name", copied)
	_, _, err = storage.ReadAll(t.Context(), s.open(t, keys), "another name")
	require.ErrorIs(t, err, storage.ChecksumMismatch)
}

// Reads refuse damaged and forged objects. The attacker can write to the store, but has neither the identity nor
// the recipient.
func TestGetRefusesDamage(t *testing.T) {
	keys := newKeys(t)
	const size = 3*chunk + 100
	tests := []struct {
		name string
		// damage changes the stored object "victim". It also gets an older version of this object, and another object.
		damage func(victim *stored, older, other stored)
	}{
		{
			name: "a byte of the first chunk is changed",
			damage: func(victim *stored, _, _ stored) {
				victim.body[0] ^= 1
			},
		},
		{
			name: "a byte of a tag is changed",
			damage: func(victim *stored, _, _ stored) {
				victim.body[sealedChunk-1] ^= 1
			},
		},
		{
			name: "the last byte is changed",
			damage: func(victim *stored, _, _ stored) {
				victim.body[len(victim.body)-1] ^= 1
			},
		},
		{
			name: "a byte is cut off",
			damage: func(victim *stored, _, _ stored) {
				victim.body = victim.body[:len(victim.body)-1]
			},
		},
		{
			name: "the last chunk is cut off",
			damage: func(victim *stored, _, _ stored) {
				victim.body = victim.body[:3*sealedChunk]
			},
		},
		{
			name: "all chunks but the first are cut off",
			damage: func(victim *stored, _, _ stored) {
				victim.body = victim.body[:sealedChunk]
			},
		},
		{
			name: "only the last chunk is left",
			damage: func(victim *stored, _, _ stored) {
				victim.body = victim.body[3*sealedChunk:]
			},
		},
		{
			name: "nothing is left",
			damage: func(victim *stored, _, _ stored) {
				victim.body = nil
			},
		},
		{
			name: "a size that no encrypted object has",
			damage: func(victim *stored, _, _ stored) {
				victim.body = victim.body[:sealedChunk+16]
			},
		},
		{
			name: "bytes are appended",
			damage: func(victim *stored, _, _ stored) {
				victim.body = append(victim.body, 0)
			},
		},
		{
			name: "a chunk is appended",
			damage: func(victim *stored, _, _ stored) {
				victim.body = append(victim.body, victim.body[:sealedChunk]...)
			},
		},
		{
			name: "two chunks are exchanged",
			damage: func(victim *stored, _, _ stored) {
				victim.body = slices.Concat(victim.body[sealedChunk:2*sealedChunk], victim.body[:sealedChunk],
					victim.body[2*sealedChunk:])
			},
		},
		{
			name: "a chunk is repeated",
			damage: func(victim *stored, _, _ stored) {
				copy(victim.body[sealedChunk:], slices.Clone(victim.body[:sealedChunk]))
			},
		},
		{
			name: "a chunk is of an older version",
			damage: func(victim *stored, older, _ stored) {
				copy(victim.body[sealedChunk:2*sealedChunk], older.body[sealedChunk:])
			},
		},
		{
			name: "the body of another object",
			damage: func(victim *stored, _, other stored) {
				victim.body = other.body
			},
		},
		{
			name: "the header of another object",
			damage: func(victim *stored, _, other stored) {
				victim.metadata = other.metadata
			},
		},
		{
			name: "another object as a whole",
			damage: func(victim *stored, _, other stored) {
				*victim = other
			},
		},
		{
			name: "the body of an older version",
			damage: func(victim *stored, older, _ stored) {
				victim.body = older.body
			},
		},
		{
			name: "the header of an older version",
			damage: func(victim *stored, older, _ stored) {
				victim.metadata = older.metadata
			},
		},
		{
			name: "no header",
			damage: func(victim *stored, _, _ stored) {
				victim.metadata = nil
			},
		},
		{
			name: "plain bytes",
			damage: func(victim *stored, _, _ stored) {
				*victim = stored{body: []byte("plain")}
			},
		},
		{
			name: "plain bytes with the header",
			damage: func(victim *stored, _, _ stored) {
				victim.body = []byte(randomText(size + 64))
			},
		},
		{
			name: "the stanza of another object in the header",
			damage: func(victim *stored, _, other stored) {
				const stanza, stanzaBody = 1, 2 // lines
				victim.takeHeaderLines(other, stanza, stanzaBody)
			},
		},
		{
			name: "the nonce and the proof of another object",
			damage: func(victim *stored, _, other stored) {
				const nonceAndProof = 4 // line
				victim.takeHeaderLines(other, nonceAndProof)
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore()
			b := s.open(t, keys)
			mustUpload(t, b, "victim", randomText(size))
			older := s.get(t, "victim")
			mustUpload(t, b, "other", randomText(size))
			attrs := mustUpload(t, b, "victim", randomText(size))
			victim := s.get(t, "victim")
			tt.damage(&victim, older, s.get(t, "other"))
			s.put(t, "victim", victim)

			_, _, err := storage.ReadAll(t.Context(), b, "victim")
			require.ErrorIs(t, err, storage.ChecksumMismatch)

			// The store has given the damaged object another revision.
			_, _, err = storage.ReadAll(t.Context(), b, "victim", storage.IfRevision(attrs.Revision))
			require.ErrorIs(t, err, storage.PreconditionFailed)

			// A range may be of a chunk that is not damaged.
			_, _, err = storage.ReadAll(t.Context(), b, "victim", storage.WithRange(-1, -1))
			require.Contains(t, []storage.Code{storage.ChecksumMismatch, ""}, storage.CodeOf(err), "%v", err)
		})
	}
}

// A forged object, which an attacker has encrypted for another recipient, is refused.
func TestGetRefusesOtherRecipient(t *testing.T) {
	s := newStore()
	b := s.open(t, newKeys(t))
	attrs := mustUpload(t, b, "victim", "the victim's")

	attacker := newStore()
	mustUpload(t, attacker.open(t, newKeys(t)), "victim", "forged")
	s.put(t, "victim", attacker.get(t, "victim"))

	_, _, err := storage.ReadAll(t.Context(), b, "victim")
	require.ErrorIs(t, err, storage.PermissionDenied)
	_, _, err = storage.ReadAll(t.Context(), b, "victim", storage.WithRange(-1, -1))
	require.ErrorIs(t, err, storage.PermissionDenied)
	_, _, err = storage.ReadAll(t.Context(), b, "victim", storage.IfRevision(attrs.Revision))
	require.ErrorIs(t, err, storage.PreconditionFailed)
}

// A read fails if any byte of the header has changed.
func TestHeaderChecksEveryBit(t *testing.T) {
	s := newStore()
	b := s.open(t, newKeys(t))
	mustUpload(t, b, "a", "content")
	object := s.get(t, "a")
	codes := []storage.Code{storage.ChecksumMismatch, storage.PermissionDenied}

	for i := range len(object.header()) {
		for _, bit := range []byte{0b1, 0b10, 0b10000} {
			header := []byte(object.header())
			header[i] ^= bit
			metadata := map[string]string{headerName: string(header)}
			s.put(t, "a", stored{body: object.body, metadata: metadata})

			_, _, err := storage.ReadAll(t.Context(), b, "a")
			require.Contains(t, codes, storage.CodeOf(err), "byte %d of %q: %v", i, header, err)
		}
	}

	// The unchanged header is valid.
	s.put(t, "a", object)
	got, _, err := storage.ReadAll(t.Context(), b, "a")
	require.NoError(t, err)
	require.Equal(t, "content", string(got))
}

// A read fails if any byte of the body has changed, or if the body has lost its end.
func TestBodyChecksEveryByte(t *testing.T) {
	s := newStore()
	b := s.open(t, newKeys(t))
	mustUpload(t, b, "a", "the content")
	object := s.get(t, "a")

	for i := range object.body {
		body := []byte(withBitFlipped(string(object.body), i))
		s.put(t, "a", stored{body: body, metadata: object.metadata})
		_, _, err := storage.ReadAll(t.Context(), b, "a")
		require.ErrorIs(t, err, storage.ChecksumMismatch, "byte %d", i)
	}

	for length := range len(object.body) {
		s.put(t, "a", stored{body: object.body[:length], metadata: object.metadata})
		_, _, err := storage.ReadAll(t.Context(), b, "a")
		require.ErrorIs(t, err, storage.ChecksumMismatch, "%d bytes", length)
	}
}

// A read of any range of a truncated object fails, even if the range itself is whole.
func TestRangeOfTruncatedObject(t *testing.T) {
	s := newStore()
	keys := newKeys(t)
	content := randomText(4 * chunk)
	mustUpload(t, s.open(t, keys), "a", content)
	object := s.get(t, "a")
	const cut = 2 * chunk // the object has only two of its four chunks after it was truncated here
	ranges := map[string]storage.DownloadOption{
		"in the first chunk":               storage.WithRange(10, 20),
		"in the last chunk before the cut": storage.WithRange(chunk+1, 10),
		"across the cut, to the end":       storage.WithRange(chunk, -1),
		"the last bytes":                   storage.WithRange(-3, -1),
		"from the cut to the end":          storage.WithRange(cut, -1),
		"from the cut":                     storage.WithRange(cut, 10),
		"after the cut":                    storage.WithRange(cut+chunk, 10),
		"after the cut, to the end":        storage.WithRange(cut+chunk, -1),
		"past the original object":         storage.WithRange(100*chunk, -1),
	}

	for name, option := range ranges {
		t.Run(name, func(t *testing.T) {
			// A bucket may know the size from a read of the whole object.
			for _, knowsSize := range []bool{false, true} {
				b := s.open(t, keys)
				s.put(t, "a", object)
				if knowsSize {
					_, _, err := storage.ReadAll(t.Context(), b, "a")
					require.NoError(t, err)
				}

				// Cut off the last two of the four chunks.
				s.put(t, "a", stored{object.body[:2*sealedChunk], object.metadata})
				_, _, err := storage.ReadAll(t.Context(), b, "a", option)
				require.ErrorIs(t, err, storage.ChecksumMismatch, "knows the size: %v", knowsSize)
			}
		})
	}

	// If the object is whole, the error for a range after its end says that the range is the problem.
	s.put(t, "a", object)
	_, _, err := storage.ReadAll(t.Context(), s.open(t, keys), "a", storage.WithRange(4*chunk+1, 10))
	require.ErrorIs(t, err, storage.RangeNotSatisfiable)
	_, _, err = storage.ReadAll(t.Context(), s.open(t, keys), "a", storage.WithRange(5*chunk, -1))
	require.ErrorIs(t, err, storage.RangeNotSatisfiable)
}

// A bucket reads the last chunk of an object once to learn its size, unless it has written the object or reads that chunk
// anyway. Apart from that, each range of an encrypted object takes one request.
func TestRangeCostsOneMoreRequest(t *testing.T) {
	tenRanges := slices.Repeat([]storage.Range{{Offset: 10, Length: 10}}, 10)
	tests := []struct {
		name         string
		isOwnObject  bool // the bucket that reads has written the object
		size         int
		opts         []storage.UploadOption
		ranges       []storage.Range
		wantRequests int
	}{
		{
			name:         "ten ranges of another bucket's object",
			size:         9*chunk + 5,
			ranges:       tenRanges,
			wantRequests: 11,
		},
		{
			name:         "ten ranges of an own object",
			isOwnObject:  true,
			size:         9*chunk + 5,
			ranges:       tenRanges,
			wantRequests: 10,
		},
		{
			name:         "ten ranges of an own object with parts",
			isOwnObject:  true,
			size:         9*chunk + 5,
			opts:         []storage.UploadOption{storage.WithPartSize(chunk)},
			ranges:       tenRanges,
			wantRequests: 10,
		},
		{
			name:         "the last chunk, then the first byte",
			size:         2 * chunk,
			ranges:       []storage.Range{{Offset: chunk, Length: -1}, {Offset: 0, Length: 1}},
			wantRequests: 2,
		},
		{
			name:         "two ranges of an object of one chunk",
			size:         chunk - 1,
			ranges:       []storage.Range{{Offset: 0, Length: 1}, {Offset: chunk - 9, Length: -1}},
			wantRequests: 2,
		},
		{
			name:         "a byte of the last chunk, then the first byte",
			size:         2 * chunk,
			ranges:       []storage.Range{{Offset: 2*chunk - 9, Length: 1}, {Offset: 0, Length: 1}},
			wantRequests: 2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore()
			keys := newKeys(t)
			counter := meter.New()
			reader := engine.New(counter.Layer()(s.Driver), driver.WithLayer(newLayer(t, keys)))
			writer := s.open(t, keys)
			if tt.isOwnObject {
				writer = reader
			}
			content := randomText(tt.size)
			mustUpload(t, writer, "a", content, tt.opts...)
			readsBefore := counter.Counts().Reads

			for _, r := range tt.ranges {
				got, _, err := storage.ReadAll(t.Context(), reader, "a",
					storage.WithRange(r.Offset, r.Length))
				require.NoError(t, err)
				if r.Length < 0 {
					r.Length = int64(tt.size) - r.Offset
				}
				require.Equal(t, content[r.Offset:r.Offset+r.Length], string(got))
			}
			require.EqualValues(t, tt.wantRequests, counter.Counts().Reads-readsBefore)
		})
	}
}

// If an object is replaced during the read of a range, the read returns bytes of the new object only.
func TestRangeOfReplacedObject(t *testing.T) {
	s := newStore()
	keys := newKeys(t)
	oldContent := randomText(3 * chunk)
	newContent := randomText(5 * chunk)
	mustUpload(t, s.open(t, keys), "a", oldContent)

	// The layer makes two calls of Get: one for the range, and one for the last chunk, which shows
	// the size. Another client replaces the object between these calls.
	gets := 0
	replaceBeforeSecondGet := func(ctx context.Context, call string, next func(context.Context) error) error {
		if call != "Get" {
			return next(ctx)
		}
		gets++
		if gets == 2 {
			mustUpload(t, s.open(t, keys), "a", newContent)
		}
		return next(ctx)
	}
	b := engine.New(driver.Intercept(s.Driver, replaceBeforeSecondGet), driver.WithLayer(newLayer(t, keys)))

	got, _, err := storage.ReadAll(t.Context(), b, "a", storage.WithRange(5, 10))
	require.NoError(t, err)
	require.Equal(t, newContent[5:15], string(got))
}

// The store gets no plain text, neither in the body nor in the metadata, and equal objects do not look
// alike.
func TestPutStoresNothingPlain(t *testing.T) {
	s := newStore()
	b := s.open(t, newKeys(t))
	content := strings.Repeat("secret", 50_000)
	mustUpload(t, b, "one", content)
	mustUpload(t, b, "parts", content, storage.WithPartSize(2*chunk))
	mustUpload(t, b, "again", content)

	seenHeaders := map[string]bool{}
	for _, key := range []string{"one", "parts", "again"} {
		object := s.get(t, key)
		require.NotContains(t, string(object.body), "secret")
		require.NotContains(t, fmt.Sprint(object.metadata), "secret")
		require.False(t, seenHeaders[object.header()], "the header of another object")
		seenHeaders[object.header()] = true
	}
	require.NotEqual(t, s.get(t, "one").body, s.get(t, "again").body)
}

// If an upload is resumed with another body, it uses a new data key. Two bodies that are encrypted with one key would
// show an attacker how they differ.
func TestWithResumeChangedBodyHasOtherKey(t *testing.T) {
	const interruptedPart = 3 // parts have numbers from 1
	const noPart = 0
	tests := []struct {
		name        string
		changedByte int // offset
	}{
		{name: "a part that was stored", changedByte: 10},
		{name: "the part that was interrupted", changedByte: (interruptedPart-1)*chunk + 10},
		{name: "a part that was not sent", changedByte: interruptedPart*chunk + 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore()
			keys := newKeys(t)
			content := randomText(4 * chunk)

			// All parts of an upload have one data key. So if a part is sent twice, its bytes must
			// be the same both times.
			sentParts := map[string]string{} // encrypted bytes, by upload and number
			requireSameBytes := func(r *driver.PartRequest, data string) {
				part := fmt.Sprint(r.Upload, r.Number)
				if earlier, isSentAgain := sentParts[part]; isSentAgain {
					require.Equal(t, earlier, data, "one key has encrypted two bodies")
				}
				sentParts[part] = data
			}
			openFailingAt := func(part int) storage.Bucket {
				recording := &recorder{Driver: s.Driver, failAt: part, record: requireSameBytes}
				return engine.New(recording, driver.WithLayer(newLayer(t, keys)))
			}
			opts := []storage.UploadOption{
				storage.WithResume(t.TempDir() + "/upload"), storage.WithPartSize(chunk),
				storage.WithConcurrency(1),
			}

			// The first upload is interrupted.
			_, err := openFailingAt(interruptedPart).Upload(t.Context(), "a", strings.NewReader(content), opts...)
			require.ErrorIs(t, err, storage.PermissionDenied)

			// The second upload resumes it with another body.
			changed := withBitFlipped(content, tt.changedByte)
			b := openFailingAt(noPart)
			_, err = b.Upload(t.Context(), "a", strings.NewReader(changed), opts...)
			require.NoError(t, err)
			got, _, err := storage.ReadAll(t.Context(), b, "a")
			require.NoError(t, err)
			require.Equal(t, changed, string(got))
		})
	}
}

// A recorder calls record with each part that the store is sent, and fails one of them.
type recorder struct {
	driver.Driver
	failAt int // number of the part; 0: none
	record func(r *driver.PartRequest, data string)
}

// PutPart records what it is sent, and refuses the part with the number failAt.
func (r *recorder) PutPart(ctx context.Context, part *driver.PartRequest) (driver.Part, error) {
	data, err := io.ReadAll(part.Body)
	if err != nil {
		return driver.Part{}, err
	}
	r.record(part, string(data))
	if part.Number == r.failAt {
		return driver.Part{}, storage.PermissionDenied
	}
	req := *part
	req.Body = bytes.NewReader(data)
	return r.Driver.PutPart(ctx, &req)
}

// PutPart fails without a valid offset of the part, because two chunks could then be encrypted with one
// nonce.
func TestPutPartNeedsPlace(t *testing.T) {
	d := newLayer(t, newKeys(t))(newStore())
	upload, err := d.BeginParts(t.Context(), &driver.PutRequest{Key: "a", Size: -1})
	require.NoError(t, err)

	tests := []struct {
		name   string
		offset int64
	}{
		{name: "no offset", offset: 0},
		{name: "an offset within a chunk", offset: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := d.PutPart(t.Context(), &driver.PartRequest{
				Key:    "a",
				Upload: upload,
				Number: 2,
				Offset: tt.offset,
				Body:   strings.NewReader("x"),
				Size:   1,
			})
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// A second encryption layer is refused, because it would replace the header of the first one.
func TestLayerTwiceIsRefused(t *testing.T) {
	b := engine.New(newStore().Driver, driver.WithLayer(newLayer(t, newKeys(t))),
		driver.WithLayer(newLayer(t, newKeys(t))))

	_, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// Plain objects are refused, unless the configuration permits them.
func TestPlainObjects(t *testing.T) {
	s := newStore()
	keys := newKeys(t)
	content := randomText(2*chunk + 5)
	s.put(t, "plain", stored{body: []byte(content), metadata: map[string]string{"k": "v"}})
	strict := s.open(t, keys)

	// By default, no call reads an object that is not encrypted.
	_, _, downloadErr := storage.ReadAll(t.Context(), strict, "plain")
	_, attrsErr := strict.Attrs(t.Context(), "plain")
	_, copyErr := storage.Copy(t.Context(), strict, "copy", strict, "plain")
	_, rewrapErr := encrypt.Rewrap(t.Context(), strict, "plain")
	for name, err := range map[string]error{
		"Download": downloadErr,
		"Attrs":    attrsErr,
		"Copy":     copyErr,
		"Rewrap":   rewrapErr,
	} {
		require.ErrorIs(t, err, storage.ChecksumMismatch, name)
		require.ErrorContains(t, err, "AllowPlain", name)
	}

	// With AllowPlain, all ranges can be read.
	layer, err := encrypt.New(encrypt.Config{Keys: keys, AllowPlain: true})
	require.NoError(t, err)
	b := engine.New(s.Driver, driver.WithLayer(layer))
	ranges := []struct {
		offset int64
		length int64 // -1 for all bytes up to the end
		want   string
	}{
		{offset: 0, length: -1, want: content},
		{offset: 1, length: 5, want: content[1:6]},
		{offset: chunk - 1, length: 3, want: content[chunk-1 : chunk+2]},
		{offset: 2 * chunk, length: -1, want: content[2*chunk:]},
		{offset: 2*chunk + 4, length: 1, want: content[2*chunk+4:]},
	}
	for _, r := range ranges {
		got, attrs, err := storage.ReadAll(t.Context(), b, "plain", storage.WithRange(r.offset, r.length))
		require.NoError(t, err)
		require.Equal(t, r.want, string(got))
		require.Equal(t, int64(len(content)), attrs.Size)
	}

	// A copy of the object onto itself encrypts the object. Afterwards it can be read without
	// AllowPlain.
	metadata := map[string]string{"k": "w"}
	_, err = storage.Copy(t.Context(), b, "plain", b, "plain", storage.WithMetadata(metadata))
	require.NoError(t, err)
	got, attrs, err := storage.ReadAll(t.Context(), strict, "plain")
	require.NoError(t, err)
	require.Equal(t, content, string(got))
	require.Equal(t, metadata, attrs.Metadata)
}

// An upload is refused if its metadata leave no room for the layer's header, which is one more entry of the
// metadata.
func TestMetadataHasRoomForHeader(t *testing.T) {
	hybrid, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	tests := map[string]struct {
		keys encrypt.Keys
		room int // bytes of metadata that fit beside the header of these keys
	}{
		"X25519": {
			keys: newKeys(t),
			room: 1700,
		},
		"hybrid": {
			keys: encrypt.NewKeys([]age.Recipient{hybrid.Recipient()}, []age.Identity{hybrid}),
			room: 280,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newStore().open(t, tt.keys)
			withMetadata := func(size int) storage.UploadOption {
				return storage.WithMetadata(map[string]string{"k": strings.Repeat("v", size)})
			}

			// Metadata that fit are stored, and the caller does not see the header.
			mustUpload(t, b, "a", "x", withMetadata(tt.room))
			attrs, err := b.Attrs(t.Context(), "a")
			require.NoError(t, err)
			require.Equal(t, []string{"k"}, slices.Collect(maps.Keys(attrs.Metadata)))

			tooMuch := tt.room + 100
			_, err = b.Upload(t.Context(), "a", strings.NewReader("x"), withMetadata(tooMuch))
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}
