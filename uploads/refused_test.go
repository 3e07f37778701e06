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

// Read leaves p as it is, and counts it as read.
func (e *endless) Read(p []byte) (int, error) {
	n := min(int64(len(p)), 10<<30-e.read)
	e.read += n
	if n == 0 {
		return 0, io.EOF
	}
	return int(n), nil
}

// Store refuses each of these files with its code and message, and stores nothing.
func TestStoreRefuses(t *testing.T) {
	runOnBuckets(t, func(t *testing.T, bucket storage.Bucket) {
		s := newService(t, bucket, uploads.Config{Rules: rules.Rules{MinSize: 40, MaxSize: 2 * mib}, Key: "x/{random}{ext}"})
		for _, tt := range refusals() {
			t.Run(tt.name, func(t *testing.T) {
				_, err := s.Store(t.Context(), tt.upload)
				require.Equal(t, tt.code, uploads.CodeOf(err))
				uploadErr, _ := errors.AsType[*uploads.Error](err)
				require.Contains(t, uploadErr.Message, tt.words)
				require.Equal(t, "file", uploadErr.Field)
				require.Empty(t, listKeys(t, bucket))
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
		{name: "nothing", upload: uploads.Upload{}, code: uploads.NoFile, words: "no file"},
		{name: "an empty file", upload: uploads.Upload{Body: strings.NewReader("")}, code: uploads.Empty, words: "empty"},
		{
			name:   "a page named .png",
			upload: uploads.Upload{Body: strings.NewReader(htmlPage), Name: "me.png", ClaimedType: "image/png"},
			code:   uploads.TypeNotAllowed,
			words:  "not the PNG that it claims to be",
		},
		{
			name:   "a page after a PNG's first bytes",
			upload: uploads.Upload{Body: strings.NewReader("\x89PNG\r\n\x1a\n" + htmlPage)},
			code:   uploads.ActiveContent,
			words:  "program",
		},
		{
			name:   "a page in a PNG's text",
			upload: uploads.Upload{Body: strings.NewReader(newPNG()[:33] + "\x00\x00\x00\x43tEXt" + htmlPage)},
			code:   uploads.ActiveContent,
			words:  "program",
		},
		{
			name:   "a page in UTF-16 in a PNG",
			upload: uploads.Upload{Body: strings.NewReader(newPNG() + "<\x00s\x00c\x00r\x00i\x00p\x00t\x00>\x00")},
			code:   uploads.ActiveContent,
			words:  "program",
		},
		{
			name:   "PHP in a JPEG",
			upload: uploads.Upload{Body: strings.NewReader(newJPEG()[:2] + "\xff\xfe\x00\x14<?php exec($_GET);" + newJPEG()[2:])},
			code:   uploads.ActiveContent,
			words:  "program",
		},
		{
			name:   "a short tag of PHP in a GIF",
			upload: uploads.Upload{Body: strings.NewReader(newGIF(3, 2)[:800] + "<?=system($_GET[0])?>")},
			code:   uploads.ActiveContent,
			words:  "program",
		},
		{
			name:   "a film's element in a PNG",
			upload: uploads.Upload{Body: strings.NewReader(newPNG() + "<video src=x>")},
			code:   uploads.ActiveContent,
			words:  "program",
		},
		{
			name:   "an element that opens",
			upload: uploads.Upload{Body: strings.NewReader(newPNG() + "<details open>")},
			code:   uploads.ActiveContent,
			words:  "program",
		},
		{
			name:   "a handler of errors",
			upload: uploads.Upload{Body: strings.NewReader(newPNG() + "<x onerror=alert(1)>")},
			code:   uploads.ActiveContent,
			words:  "program",
		},
		{
			name:   "an SVG, which is not allowed",
			upload: uploads.Upload{Body: strings.NewReader(svgFile), Name: "logo.svg"},
			code:   uploads.TypeNotAllowed,
			words:  "(it is SVG)",
		},
		{
			name:   "a program",
			upload: uploads.Upload{Body: strings.NewReader("\x7fELF\x02\x01\x01\x00"), Name: "me.jpg"},
			code:   uploads.TypeNotAllowed,
			words:  "Allowed: JPEG, PNG, GIF, WebP and AVIF",
		},
		{
			name:   "a zip's header named .png",
			upload: uploads.Upload{Body: strings.NewReader("PK\x03\x04\x14\x00\x00\x00\x08\x00"), Name: "me.png", ClaimedType: "image/png"},
			code:   uploads.TypeNotAllowed,
			words:  "not the PNG",
		},
		{
			name:   "a zip after a PNG's first bytes",
			upload: uploads.Upload{Body: strings.NewReader("\x89PNG\r\n\x1a\nPK\x03\x04\x14\x00\x00\x00\x08\x00")},
			code:   uploads.Damaged,
			words:  "damaged",
		},
		{
			name:   "a line of JavaScript after a GIF's first bytes",
			upload: uploads.Upload{Body: strings.NewReader("GIF89a=1;alert(1)//" + strings.Repeat("\x00", 20))},
			code:   uploads.Damaged,
			words:  "damaged",
		},
		{
			name:   "a PNG of 60,000 by 60,000 pixels",
			upload: uploads.Upload{Body: strings.NewReader(newPNGHeader(60000, 60000))},
			code:   uploads.TooManyPixels,
			words:  "60000 by 60000",
		},
		{name: "a PNG of no pixels", upload: uploads.Upload{Body: strings.NewReader(newPNGHeader(0, 9))}, code: uploads.Damaged, words: "damaged"},
		{
			name:   "a WebP of 16,384 by 16,384 pixels",
			upload: uploads.Upload{Body: strings.NewReader(newExtendedWebP(16384, 16384, still, losslessChunk(16384, 16384)))},
			code:   uploads.TooManyPixels,
			words:  "16384",
		},
		{
			name:   "an AVIF of 65,536 by 65,536 pixels",
			upload: uploads.Upload{Body: strings.NewReader(newAVIF(65536, 65536))},
			code:   uploads.TooManyPixels,
			words:  "65536",
		},
		{
			name:   "10 GB that claim to be 1 KB",
			upload: uploads.Upload{Body: io.MultiReader(strings.NewReader(newPNG()), &endless{}), Size: 1 << 10},
			code:   uploads.WrongSize,
			words:  "not the announced one",
		},
		{
			name:   "10 GB that claim nothing",
			upload: uploads.Upload{Body: io.MultiReader(strings.NewReader(newPNG()), &endless{})},
			code:   uploads.TooLarge,
			words:  "at most 2 MiB",
		},
		{
			name:   "a claim of 10 GB",
			upload: uploads.Upload{Body: strings.NewReader(newPNG()), Size: 10 << 30},
			code:   uploads.TooLarge,
			words:  "at most 2 MiB",
		},
		{
			name:   "one byte too many",
			upload: uploads.Upload{Body: strings.NewReader(newPNG() + strings.Repeat("x", 2*mib+1-len(newPNG())))},
			code:   uploads.TooLarge,
			words:  "at most 2 MiB",
		},
		{name: "one byte too few", upload: uploads.Upload{Body: strings.NewReader(newGIF(1, 1)[:30])}, code: uploads.Damaged, words: "damaged"},
		{
			name:   "less than it claims",
			upload: uploads.Upload{Body: onlyRead{strings.NewReader(newPNG() + strings.Repeat("x", mib))}, Size: mib * 3 / 2},
			code:   uploads.WrongSize,
			words:  "not the announced one",
		},
		{
			name:   "a file below the least size",
			upload: uploads.Upload{Body: strings.NewReader(newWebP())},
			code:   uploads.TooSmall,
			words:  "at least 40 bytes",
		},
	}
}

// Store stops reading a stream of unknown size once it exceeds the size limit.
func TestStoreReadsStreamUpToLimit(t *testing.T) {
	bucket := openMemory(t)
	s := newService(t, bucket, uploads.Config{Rules: rules.Rules{MaxSize: 5 << 20}})
	rest := &endless{}
	_, err := s.Store(t.Context(), uploads.Upload{Body: io.MultiReader(strings.NewReader(newPNG()), rest)})
	require.Equal(t, uploads.TooLarge, uploads.CodeOf(err))
	require.Less(t, rest.read, int64(8<<20))
	require.ErrorIs(t, err, storage.TooLarge)
}

// If the rules permit empty files, Store still refuses an empty body of which another size was announced, because the
// bytes were lost on the way.
func TestStoreRefusesEmptyBodyOfAnnouncedSize(t *testing.T) {
	bucket := openMemory(t)
	s := newService(t, bucket, uploads.Config{Rules: rules.Any(1 << 20)})

	_, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(""), Size: 5})
	require.Equal(t, uploads.WrongSize, uploads.CodeOf(err), "%v", err)
	require.Empty(t, listKeys(t, bucket))

	_, err = s.Store(t.Context(), uploads.Upload{Body: strings.NewReader("")})
	require.NoError(t, err, "an empty file is permitted")
}
