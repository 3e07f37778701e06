package uploads_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// The File that Store returns has the width and height of a picture.
func TestResultHasSizeOfPicture(t *testing.T) {
	// In two WebP files, the canvas is larger than the picture in it: a still picture in one file,
	// and the frame of an animation in the other.
	profile := riffChunk("ICCP", "odd")
	canvas := newExtendedWebP(800, 7000, still, profile, losslessChunk(800, 7000))
	frame := animationFrame(2, 60000, 10, 9, riffChunk("ALPH", "x")+losslessChunk(10, 9))
	animation := newExtendedWebP(800, 70000, moves, riffChunk("ANIM", "123456"), frame)

	// Two JPEG files have other data after the two bytes with which a JPEG starts.
	jpegStart, jpegRest := newJPEG()[:2], newJPEG()[2:]
	longestSegment := "\xff\xe2\xff\xff" + strings.Repeat("p", 0xFFFD)
	const xmp = "\xff\xe1\x00\x3chttp://ns.adobe.com/xap/1.0/\x00<x:xmpmeta><rdf:RDF></rdf:RDF> "

	tests := []struct {
		name       string
		content    string
		wantWidth  int
		wantHeight int
	}{
		{name: "PNG", content: newPNG(), wantWidth: 3, wantHeight: 2},
		{name: "JPEG", content: newJPEG(), wantWidth: 3, wantHeight: 2},
		{name: "GIF", content: newGIF(3, 2), wantWidth: 3, wantHeight: 2},
		{name: "lossless WebP", content: newWebP(), wantWidth: 1, wantHeight: 1},
		{name: "lossy WebP", content: newLossyWebP(5000, 300), wantWidth: 5000, wantHeight: 300},
		{name: "WebP with a canvas", content: canvas, wantWidth: 800, wantHeight: 7000},
		{name: "animated WebP", content: animation, wantWidth: 800, wantHeight: 70000},
		{name: "AVIF", content: newAVIF(4096, 2160), wantWidth: 4096, wantHeight: 2160},
		{name: "AVIF made of tiles", content: newAVIF(4096, 2160, 512), wantWidth: 4096, wantHeight: 2160},
		{
			name:       "JPEG after a large profile",
			content:    jpegStart + strings.Repeat(longestSegment, 8) + jpegRest,
			wantWidth:  3,
			wantHeight: 2,
		},
		{
			name:       "JPEG with XMP",
			content:    jpegStart + xmp + jpegRest,
			wantWidth:  3,
			wantHeight: 2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newService(t, memstore.New(), uploads.Config{Rules: rules.Rules{MaxPixels: 60e6}})
			file, err := s.Store(t.Context(), uploads.Upload{Body: onlyRead{strings.NewReader(tt.content)}})
			require.NoError(t, err)
			require.Equal(t, tt.wantWidth, file.Width)
			require.Equal(t, tt.wantHeight, file.Height)
		})
	}
}

// Store accepts GIFs of any width and height. The bytes of some sizes look like characters of JavaScript.
func TestRulesAcceptGIFOfAnySize(t *testing.T) {
	s := newService(t, memstore.New(), uploads.Config{})
	for width := 1; width < 400; width++ {
		height := 1 + width%97
		_, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(newGIF(width, height))})
		require.NoError(t, err, "width %d", width)
	}
	for _, width := range []int{2304, 2365, 2621, 3376, 8191} {
		_, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(newGIF(width, 3))})
		require.NoError(t, err, "width %d", width)
	}
}

// Store refuses pictures whose headers are incomplete or contradict each other.
func TestStoreRefusesContradictoryHeaders(t *testing.T) {
	gif := newGIF(3, 2)
	const screen = "GIF89a\x03\x00\x02\x00\x00\x00\x00" // the start of a GIF of 3 x 2 pixels

	// longSegment is a JPEG segment of 64 KiB, the greatest size.
	longSegment := "\xff\xe2\xff\xff" + strings.Repeat("p", 0xFFFD)
	tests := []struct {
		name, content string
		wantCode      uploads.Code
	}{
		{name: "only a PNG's first bytes", content: "\x89PNG\r\n\x1a\n", wantCode: uploads.Damaged},
		{name: "a PNG whose sum is wrong", content: newPNG()[:29] + "zzzz" + newPNG()[33:], wantCode: uploads.Damaged},
		{name: "only a JPEG's first bytes", content: "\xff\xd8\xff\xe0", wantCode: uploads.Damaged},
		{name: "a JPEG without a frame", content: newJPEG()[:20] + "\xff\xd9", wantCode: uploads.Damaged},
		{name: "a GIF cut in its table", content: gif[:40], wantCode: uploads.Damaged},
		{name: "a GIF without a picture", content: screen + "\x3b", wantCode: uploads.Damaged},
		{name: "a GIF with text for a block", content: screen + "alert(1)", wantCode: uploads.Damaged},
		{
			name:     "a GIF whose picture leaves the screen",
			content:  screen + "\x2c\x01\x00\x00\x00\x03\x00\x02\x00\x00",
			wantCode: uploads.Damaged,
		},
		{
			name:     "a GIF whose comment has no end",
			content:  screen + "\x21\xfe\xff" + strings.Repeat("c", 20),
			wantCode: uploads.Damaged,
		},
		{name: "a WebP cut short", content: newWebP()[:25], wantCode: uploads.Damaged},
		{
			name:     "a WebP without a key frame",
			content:  strings.Replace(newLossyWebP(2, 2), "\x10\x00\x00\x9d", "\x11\x00\x00\x9d", 1),
			wantCode: uploads.Damaged,
		},
		{
			name:     "a WebP of an unknown chunk",
			content:  strings.Replace(newExtendedWebP(2, 2, still, losslessChunk(2, 2)), "VP8X", "VP8?", 1),
			wantCode: uploads.Damaged,
		},
		{
			name:     "a WebP without a picture",
			content:  newExtendedWebP(2, 2, still, riffChunk("EXIF", "x")),
			wantCode: uploads.Damaged,
		},
		{
			name:     "a WebP whose picture is larger than its canvas",
			content:  newExtendedWebP(1, 1, still, losslessChunk(8000, 8000)),
			wantCode: uploads.Damaged,
		},
		{
			name:     "a WebP whose frame leaves its canvas",
			content:  newExtendedWebP(9, 9, moves, animationFrame(2, 0, 8, 9, losslessChunk(8, 9))),
			wantCode: uploads.Damaged,
		},
		{
			name:     "a WebP whose picture leaves its frame",
			content:  newExtendedWebP(9, 9, moves, animationFrame(0, 0, 9, 9, losslessChunk(8000, 8000))),
			wantCode: uploads.Damaged,
		},
		{
			name:     "a JPEG after more than 1 MiB",
			content:  newJPEG()[:2] + strings.Repeat(longSegment, 20) + newJPEG()[2:],
			wantCode: uploads.TooLarge,
		},
		{
			name:     "an AVIF without a size",
			content:  isoBox("ftyp", "avif\x00\x00\x00\x00avifmif1") + isoBox("mdat", "pixels"),
			wantCode: uploads.Damaged,
		},
		{
			name:     "an AVIF whose boxes leave each other",
			content:  strings.Replace(newAVIF(2, 2), "ipco", "free", 1),
			wantCode: uploads.Damaged,
		},
		{name: "an AVIF of no pixels", content: newAVIF(0, 2), wantCode: uploads.Damaged},
		{name: "an AVIF of 4 billion pixels' width", content: newAVIF(0xFFFFFFFF, 1), wantCode: uploads.Damaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New()
			s := newService(t, bucket, uploads.Config{})
			_, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(tt.content)})
			require.Equal(t, tt.wantCode, uploads.CodeOf(err), "%v", err)
			require.Empty(t, listKeys(t, bucket))
		})
	}
}

// Inspection is quick even for files of very many small pieces, which would take quadratic time if each piece were
// searched up to the end of the file.
func TestInspectHostileFilesQuickly(t *testing.T) {
	jpeg := newJPEG()

	// A segment of a JPEG begins with its kind ("\xff\xe1" for metadata, "\xff\xfe" for a comment) and its length,
	// which counts its own two bytes. The length of the metadata, 0x2f2a, is also the text "/*".
	const metadataLength, commentLength = 0x2f2a, 0xffff
	metadata := "\xff\xe1/*" + strings.Repeat("*/", (metadataLength-2)/2)
	comment := "\xff\xfe\xff\xff" + strings.Repeat("*/", (commentLength-2)/2) + "*"
	endsOfComments := metadata + strings.Repeat(comment, 15)

	// A block of text in a GIF begins with its length.
	textBlock := "\xff" + strings.Repeat("`a${/[", 43)[:0xff]

	tests := []struct {
		name    string
		content string
	}{
		{
			name:    "ends of comments in a JPEG",
			content: jpeg[:2] + endsOfComments + jpeg[2:],
		},
		{
			name: "empty boxes in an AVIF",
			content: isoBox("ftyp", "avif\x00\x00\x00\x00avifmif1") +
				isoBox("meta", strings.Repeat("\x00\x00\x00\x08free", 120_000)),
		},
		{
			name:    "pieces of one byte in a GIF",
			content: "GIF89a\x03\x00\x02\x00\x00\x00\x00\x21\xfe" + strings.Repeat("\x01x", 500_000),
		},
		{
			name: "texts in a GIF",
			content: "GIF89a=`\x01\x01\x00\x00\x00\x21\xfe" + strings.Repeat(textBlock, 4_000) +
				"\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00",
		},
		{
			name:    "chunks in a WebP",
			content: newExtendedWebP(2, 2, still, strings.Repeat(riffChunk("EXIF", ""), 120_000)),
		},
		{
			name:    "elements in an SVG",
			content: `<svg xmlns="http://www.w3.org/2000/svg">` + strings.Repeat("<g>", 300_000) + `</svg>`,
		},
		{
			name: "addresses in an SVG",
			content: `<svg xmlns="http://www.w3.org/2000/svg"><g style="` +
				strings.Repeat("url(#a)", 140_000) + `"/></svg>`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			types := append(rules.Pictures(), "image/svg+xml")
			s := newService(t, memstore.New(), uploads.Config{Rules: rules.Rules{Types: types}})

			start := time.Now()
			_, _ = s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(tt.content)})
			const lessThanQuadratic = 30 * time.Second
			require.Less(t, time.Since(start), lessThanQuadratic)
		})
	}
}

// The service does not modify an *Error of Config.Inspect, which the application may return for several files.
func TestErrorOfApplicationIsNotChanged(t *testing.T) {
	unwanted := &uploads.Error{
		Field:   "file",
		Code:    "unwanted",
		Message: "This file is not wanted.",
		Status:  http.StatusTeapot,
	}
	original := *unwanted
	s, err := uploads.New(memstore.New(), uploads.Config{
		Rules:     rules.Any(1 << 20),
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{}, nil },
		Inspect:   func(context.Context, *uploads.File, *storage.ReaderAt) error { return unwanted },
	})
	require.NoError(t, err)

	// Upload two files in two ways, all at the same time.
	names := []string{"a.pdf", "b.pdf"}
	storeErrs := make([]error, len(names))
	statuses := make([]int, len(names))
	var calls sync.WaitGroup
	for i, name := range names {
		calls.Go(func() {
			_, storeErrs[i] = s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(pdf), Name: name})
		})
		calls.Go(func() {
			statuses[i] = sendForm(t, s, "file-of-"+name)
		})
	}
	calls.Wait()

	// Each upload fails with the error of Inspect, to which Store adds the name of the file.
	for i, name := range names {
		uploadErr, ok := storeErrs[i].(*uploads.Error)
		require.True(t, ok)
		require.Equal(t, name, uploadErr.Name)
		require.Equal(t, http.StatusTeapot, statuses[i])
	}

	// The error of the application is as it was.
	require.Equal(t, original, *unwanted)
}
