package memstore_test

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// beginUpload begins an upload in parts.
func beginUpload(t *testing.T, d driver.Driver, key string) string {
	t.Helper()
	upload, err := d.BeginParts(t.Context(), &driver.PutRequest{Key: key, Size: -1})
	require.NoError(t, err)
	return upload
}

// putPart stores a part of an upload.
func putPart(t *testing.T, d driver.Driver, key, upload string, number int, content string) driver.Part {
	t.Helper()
	part, err := d.PutPart(t.Context(), &driver.PartRequest{
		Key:    key,
		Upload: upload,
		Number: number,
		Body:   strings.NewReader(content),
		Size:   int64(len(content)),
	})
	require.NoError(t, err)
	return part
}

// CompleteParts joins the parts that the request names to one object, which is not visible before.
func TestPartsBecomeObject(t *testing.T) {
	d := newDriver()
	upload := beginUpload(t, d, "k")

	// Send two parts, the first one twice, and a third one, which the completion does not name.
	second := putPart(t, d, "k", upload, 2, "world")
	replaced := putPart(t, d, "k", upload, 1, "bye, ")
	first := putPart(t, d, "k", upload, 1, "hello, ")
	putPart(t, d, "k", upload, 3, "not requested")

	// The replaced part had another tag, and no object is visible yet.
	require.NotEqual(t, replaced.Tag, first.Tag)
	require.Empty(t, listKeys(t, d))

	// The object has the text of the two parts, and the checksum and the type of the request.
	crc := storage.CRC32C{Sum: 7, Known: true}
	req := &driver.CompleteRequest{
		Put: &driver.PutRequest{
			Key:        "k",
			CRC32C:     crc,
			Properties: storage.Properties{ContentType: "text/plain"},
		},
		Upload: upload,
		Parts:  []driver.Part{first, second},
	}
	attrs, err := d.CompleteParts(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, int64(len("hello, world")), attrs.Size)
	require.Equal(t, crc.Sum, attrs.CRC32C.Sum)
	require.Equal(t, "text/plain", attrs.ContentType)
	require.Equal(t, "hello, world", get(t, d, "k", ""))

	// The upload does not exist any more.
	_, err = d.CompleteParts(t.Context(), req)
	require.ErrorIs(t, err, storage.ObjectNotFound)
}

// PutPart returns the checksum of its request.
func TestPutPartReturnsChecksum(t *testing.T) {
	d := newDriver()
	upload := beginUpload(t, d, "k")
	crc := storage.CRC32C{Sum: 7, Known: true} // not that of the body, which the driver does not compute

	part, err := d.PutPart(t.Context(), &driver.PartRequest{
		Key:    "k",
		Upload: upload,
		Number: 1,
		Size:   1,
		Body:   strings.NewReader("x"),
		CRC32C: crc,
	})
	require.NoError(t, err)
	require.Equal(t, crc.Sum, part.CRC32C.Sum)
}

// CompleteParts refuses an unknown upload, and a part that the upload does not have or has replaced.
func TestCompletePartsRefuses(t *testing.T) {
	d := newDriver()
	upload := beginUpload(t, d, "k")
	// Part 1 is sent twice, and only its second tag is valid.
	replaced := putPart(t, d, "k", upload, 1, "a")
	part := putPart(t, d, "k", upload, 1, "a")
	otherSize := part
	otherSize.Size++
	missing := part
	missing.Number = 2

	tests := map[string]struct {
		key, upload string
		part        driver.Part
		want        storage.Code
	}{
		"a replaced part":        {key: "k", upload: upload, part: replaced, want: storage.InvalidArgument},
		"a part of another size": {key: "k", upload: upload, part: otherSize, want: storage.InvalidArgument},
		"a missing part": {
			key:    "k",
			upload: upload,
			part:   missing,
			want:   storage.InvalidArgument,
		},
		"an unknown upload":        {key: "k", upload: "x", part: part, want: storage.ObjectNotFound},
		"an upload to another key": {key: "j", upload: upload, part: part, want: storage.ObjectNotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := d.CompleteParts(t.Context(), &driver.CompleteRequest{
				Put:    &driver.PutRequest{Key: tt.key},
				Upload: tt.upload,
				Parts:  []driver.Part{tt.part},
			})
			require.ErrorIs(t, err, tt.want)
			require.Empty(t, listKeys(t, d))
		})
	}
}

// If the condition of CompleteParts does not hold, the upload remains, and CompleteParts may be called again.
func TestCompletePartsConditionFails(t *testing.T) {
	d := newDriver()
	old := put(t, d, "k", "old")
	upload := beginUpload(t, d, "k")
	part := putPart(t, d, "k", upload, 1, "new")

	completeIf := func(condition storage.Condition) error {
		_, err := d.CompleteParts(t.Context(), &driver.CompleteRequest{
			Put:    &driver.PutRequest{Key: "k", Condition: condition},
			Upload: upload,
			Parts:  []driver.Part{part},
		})
		return err
	}

	// IfAbsent does not hold, because the key has an object.
	require.ErrorIs(t, completeIf(storage.Condition{Absent: true}), storage.PreconditionFailed)
	require.Equal(t, "old", get(t, d, "k", ""))

	// Another condition holds, and the same upload makes the object.
	require.NoError(t, completeIf(storage.Condition{Revision: old.Revision}))
	require.Equal(t, "new", get(t, d, "k", ""))
}

// AbortParts removes the upload with its key, and succeeds if there is none.
func TestAbortParts(t *testing.T) {
	d := newDriver()
	upload := beginUpload(t, d, "k")

	// An abort with another key leaves the upload as it is.
	require.NoError(t, d.AbortParts(t.Context(), "other", upload))
	putPart(t, d, "k", upload, 1, "a")

	require.NoError(t, d.AbortParts(t.Context(), "k", upload))
	require.NoError(t, d.AbortParts(t.Context(), "k", upload))
	_, err := d.PutPart(t.Context(),
		&driver.PartRequest{Key: "k", Upload: upload, Number: 1, Body: strings.NewReader("")})
	require.ErrorIs(t, err, storage.ObjectNotFound)
}

// PutPart fails with ObjectNotFound if the upload is aborted while it reads its body.
func TestPutPartOfAbortedUpload(t *testing.T) {
	d := newDriver()
	upload := beginUpload(t, d, "k")
	body := &seekable{Reader: &endHookBody{Reader: strings.NewReader("x"), atEnd: func() {
		require.NoError(t, d.AbortParts(t.Context(), "k", upload))
	}}}
	_, err := d.PutPart(t.Context(),
		&driver.PartRequest{Key: "k", Upload: upload, Number: 1, Body: body, Size: 1})
	require.ErrorIs(t, err, storage.ObjectNotFound)
}

// If the body of a part fails, the upload keeps the earlier part with the same number.
func TestPutPartBodyBreaks(t *testing.T) {
	d := newDriver()
	upload := beginUpload(t, d, "k")
	part := putPart(t, d, "k", upload, 1, "good")

	// The body of another part 1 fails after the first of four bytes.
	_, err := d.PutPart(t.Context(), &driver.PartRequest{
		Key:    "k",
		Upload: upload,
		Number: 1,
		Body:   &seekable{failingBody("b", errBroken)},
		Size:   4,
	})
	require.ErrorIs(t, err, errBroken)

	// The upload completes with the earlier part.
	_, err = d.CompleteParts(t.Context(), &driver.CompleteRequest{
		Put:    &driver.PutRequest{Key: "k"},
		Upload: upload,
		Parts:  []driver.Part{part},
	})
	require.NoError(t, err)
	require.Equal(t, "good", get(t, d, "k", ""))
}

// seekable makes an io.ReadSeeker of a body that is read once.
type seekable struct{ io.Reader }

func (*seekable) Seek(int64, int) (int64, error) { return 0, nil }
