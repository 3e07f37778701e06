package uploads_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// endless is a stream of 10 GB that counts what was read.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	n := min(int64(len(p)), 10<<30-e.read)
	e.read += n
	if n == 0 {
		return 0, io.EOF
	}
	return int(n), nil
}

// Refused files are not stored.
func TestStoreRefuses(t *testing.T) {
	onBuckets(t, func(t *testing.T, b storage.Bucket) {
		s := newService(t, b, uploads.Config{Rules: rules.Rules{MinSize: 40, MaxSize: 2 * mib}, Key: "x/{random}{ext}"})
		for _, row := range refusals() {
			t.Run(row.name, func(t *testing.T) {
				_, err := s.Store(t.Context(), row.upload)
				require.Equal(t, row.code, uploads.CodeOf(err))
				e, _ := errors.AsType[*uploads.Error](err)
				require.Contains(t, e.Message, row.words)
				require.Equal(t, "file", e.Field)
				require.Empty(t, keys(t, b))
			})
		}
	})
}

const mib = 1 << 20

type refusal struct {
	name   string
	upload uploads.Upload
	code   uploads.Code
	words  string
}

// refusals are created for each bucket, because a body is read once.
func refusals() []refusal {
	return []refusal{
		{"nothing", uploads.Upload{}, uploads.NoFile, "no file"},
		{"an empty file", uploads.Upload{Body: strings.NewReader("")}, uploads.Empty, "empty"},
		{"a page named .png", uploads.Upload{Body: strings.NewReader(aPage), Name: "me.png", ClaimedType: "image/png"},
			uploads.TypeNotAllowed, "not the PNG that it claims to be"},
		{"a page after a PNG's first bytes", uploads.Upload{Body: strings.NewReader("\x89PNG\r\n\x1a\n" + aPage)}, uploads.ActiveContent, "program"},
		{"a page in a PNG's text", uploads.Upload{Body: strings.NewReader(aPNG()[:33] + "\x00\x00\x00\x43tEXt" + aPage)}, uploads.ActiveContent, "program"},
		{"a page in UTF-16 in a PNG", uploads.Upload{Body: strings.NewReader(aPNG() + "<\x00s\x00c\x00r\x00i\x00p\x00t\x00>\x00")}, uploads.ActiveContent, "program"},
		{"PHP in a JPEG", uploads.Upload{Body: strings.NewReader(aJPEG()[:2] + "\xff\xfe\x00\x14<?php exec($_GET);" + aJPEG()[2:])}, uploads.ActiveContent, "program"},
		{"a short tag of PHP in a GIF", uploads.Upload{Body: strings.NewReader(aGIF(3, 2)[:800] + "<?=system($_GET[0])?>")}, uploads.ActiveContent, "program"},
		{"a film's element in a PNG", uploads.Upload{Body: strings.NewReader(aPNG() + "<video src=x>")}, uploads.ActiveContent, "program"},
		{"an element that opens", uploads.Upload{Body: strings.NewReader(aPNG() + "<details open>")}, uploads.ActiveContent, "program"},
		{"a handler of errors", uploads.Upload{Body: strings.NewReader(aPNG() + "<x onerror=alert(1)>")}, uploads.ActiveContent, "program"},
		{"an SVG, which is not allowed", uploads.Upload{Body: strings.NewReader(anSVG), Name: "logo.svg"}, uploads.TypeNotAllowed, "(it is SVG)"},
		{"a program", uploads.Upload{Body: strings.NewReader("\x7fELF\x02\x01\x01\x00"), Name: "me.jpg"}, uploads.TypeNotAllowed, "Allowed: JPEG, PNG, GIF, WebP and AVIF"},
		{"a zip's header named .png", uploads.Upload{Body: strings.NewReader("PK\x03\x04\x14\x00\x00\x00\x08\x00"), Name: "me.png", ClaimedType: "image/png"},
			uploads.TypeNotAllowed, "not the PNG"},
		{"a zip after a PNG's first bytes", uploads.Upload{Body: strings.NewReader("\x89PNG\r\n\x1a\nPK\x03\x04\x14\x00\x00\x00\x08\x00")}, uploads.Damaged, "damaged"},
		{"a line of JavaScript after a GIF's first bytes", uploads.Upload{Body: strings.NewReader("GIF89a=1;alert(1)//" + strings.Repeat("\x00", 20))}, uploads.Damaged, "damaged"},
		{"a PNG of 60,000 by 60,000 pixels", uploads.Upload{Body: strings.NewReader(aPNGOf(60000, 60000))}, uploads.TooManyPixels, "60000 by 60000"},
		{"a PNG of no pixels", uploads.Upload{Body: strings.NewReader(aPNGOf(0, 9))}, uploads.Damaged, "damaged"},
		{"a WebP of 16,384 by 16,384 pixels", uploads.Upload{Body: strings.NewReader(aWebPOf(16384, 16384, false, aLossless(16384, 16384)))}, uploads.TooManyPixels, "16384"},
		{"an AVIF of 65,536 by 65,536 pixels", uploads.Upload{Body: strings.NewReader(anAVIF(65536, 65536))}, uploads.TooManyPixels, "65536"},
		{"10 GB that claim to be 1 KB", uploads.Upload{Body: io.MultiReader(strings.NewReader(aPNG()), &endless{}), Size: 1 << 10}, uploads.WrongSize, "not the announced one"},
		{"10 GB that claim nothing", uploads.Upload{Body: io.MultiReader(strings.NewReader(aPNG()), &endless{})}, uploads.TooLarge, "at most 2 MiB"},
		{"a claim of 10 GB", uploads.Upload{Body: strings.NewReader(aPNG()), Size: 10 << 30}, uploads.TooLarge, "at most 2 MiB"},
		{"one byte too many", uploads.Upload{Body: strings.NewReader(aPNG() + strings.Repeat("x", 2*mib+1-len(aPNG())))}, uploads.TooLarge, "at most 2 MiB"},
		{"one byte too few", uploads.Upload{Body: strings.NewReader(aGIF(1, 1)[:30])}, uploads.Damaged, "damaged"},
		{"less than it claims", uploads.Upload{Body: onlyRead{strings.NewReader(aPNG() + strings.Repeat("x", mib))}, Size: mib * 3 / 2}, uploads.WrongSize, "not the announced one"},
		{"a file below the least size", uploads.Upload{Body: strings.NewReader(aWebP())}, uploads.TooSmall, "at least 40 bytes"},
	}
}

// A stream is read only up to its limit.
func TestStoreReadsStreamUpToLimit(t *testing.T) {
	b := inMemory(t)
	s := newService(t, b, uploads.Config{Rules: rules.Rules{MaxSize: 5 << 20}})
	rest := &endless{}
	_, err := s.Store(t.Context(), uploads.Upload{Body: io.MultiReader(strings.NewReader(aPNG()), rest)})
	require.Equal(t, uploads.TooLarge, uploads.CodeOf(err))
	require.Less(t, rest.read, int64(8<<20))
	require.ErrorIs(t, err, storage.TooLarge)
}
