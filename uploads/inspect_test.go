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
	tests := []struct {
		name, content string
		width, height int
	}{
		{name: "PNG", content: aPNG(), width: 3, height: 2},
		{name: "JPEG", content: aJPEG(), width: 3, height: 2},
		{name: "GIF", content: aGIF(3, 2), width: 3, height: 2},
		{name: "WebP without losses", content: aWebP(), width: 1, height: 1},
		{name: "WebP with losses", content: aLossyWebP(5000, 300), width: 5000, height: 300},
		{name: "WebP with a canvas", content: aWebPOf(800, 7000, false, riffChunk("ICCP", "odd"), aLossless(800, 7000)), width: 800, height: 7000},
		{
			name:    "WebP that moves",
			content: aWebPOf(800, 70000, true, riffChunk("ANIM", "123456"), aFrame(2, 60000, 10, 9, riffChunk("ALPH", "x")+aLossless(10, 9))),
			width:   800,
			height:  70000,
		},
		{name: "AVIF", content: anAVIF(4096, 2160), width: 4096, height: 2160},
		{name: "AVIF made of tiles", content: anAVIF(4096, 2160, 512), width: 4096, height: 2160},
		{
			name:    "JPEG after a large profile",
			content: aJPEG()[:2] + strings.Repeat("\xff\xe2\xff\xff"+strings.Repeat("p", 0xFFFD), 8) + aJPEG()[2:],
			width:   3,
			height:  2,
		},
		{
			name:    "JPEG with XMP",
			content: aJPEG()[:2] + "\xff\xe1\x00\x3chttp://ns.adobe.com/xap/1.0/\x00<x:xmpmeta><rdf:RDF></rdf:RDF> " + aJPEG()[2:],
			width:   3,
			height:  2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newService(t, memstore.New(), uploads.Config{Rules: rules.Rules{MaxPixels: 60e6}})
			r, err := s.Store(t.Context(), uploads.Upload{Body: onlyRead{strings.NewReader(tt.content)}})
			require.NoError(t, err)
			require.Equal(t, [2]int{tt.width, tt.height}, [2]int{r.Width, r.Height})
		})
	}
}

// Store accepts GIFs of any width and height.
func TestRulesAcceptGIFOfAnySize(t *testing.T) {
	s := newService(t, memstore.New(), uploads.Config{})
	for width := 1; width < 400; width++ {
		_, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(aGIF(width, 1+width%97))})
		require.NoError(t, err, "width %d", width)
	}
	for _, width := range []int{2304, 2365, 2621, 3376, 8191} {
		_, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(aGIF(width, 3))})
		require.NoError(t, err, "width %d", width)
	}
}

// Store refuses pictures whose headers are incomplete or contradict each other.
func TestStoreRefusesContradictoryHeaders(t *testing.T) {
	full := aGIF(3, 2)
	const screen = "GIF89a\x03\x00\x02\x00\x00\x00\x00"
	tests := []struct {
		name, content string
		code          uploads.Code
	}{
		{"only a PNG's first bytes", "\x89PNG\r\n\x1a\n", uploads.Damaged},
		{"a PNG whose sum is wrong", aPNG()[:29] + "zzzz" + aPNG()[33:], uploads.Damaged},
		{"only a JPEG's first bytes", "\xff\xd8\xff\xe0", uploads.Damaged},
		{"a JPEG without a frame", aJPEG()[:20] + "\xff\xd9", uploads.Damaged},
		{"a GIF cut in its table", full[:40], uploads.Damaged},
		{"a GIF without a picture", screen + "\x3b", uploads.Damaged},
		{"a GIF with text for a block", screen + "alert(1)", uploads.Damaged},
		{"a GIF whose picture leaves the screen", screen + "\x2c\x01\x00\x00\x00\x03\x00\x02\x00\x00", uploads.Damaged},
		{"a GIF whose comment has no end", screen + "\x21\xfe\xff" + strings.Repeat("c", 20), uploads.Damaged},
		{"a WebP cut short", aWebP()[:25], uploads.Damaged},
		{"a WebP without a key frame", strings.Replace(aLossyWebP(2, 2), "\x10\x00\x00\x9d", "\x11\x00\x00\x9d", 1), uploads.Damaged},
		{"a WebP of an unknown chunk", strings.Replace(aWebPOf(2, 2, false, aLossless(2, 2)), "VP8X", "VP8?", 1), uploads.Damaged},
		{"a WebP without a picture", aWebPOf(2, 2, false, riffChunk("EXIF", "x")), uploads.Damaged},
		{"a WebP whose picture is larger than its canvas", aWebPOf(1, 1, false, aLossless(8000, 8000)), uploads.Damaged},
		{"a WebP whose frame leaves its canvas", aWebPOf(9, 9, true, aFrame(2, 0, 8, 9, aLossless(8, 9))), uploads.Damaged},
		{"a WebP whose picture leaves its frame", aWebPOf(9, 9, true, aFrame(0, 0, 9, 9, aLossless(8000, 8000))), uploads.Damaged},
		{"a JPEG after more than 1 MiB", aJPEG()[:2] + strings.Repeat("\xff\xe2\xff\xff"+strings.Repeat("p", 0xFFFD), 20) + aJPEG()[2:], uploads.TooLarge},
		{"an AVIF without a size", isoBox("ftyp", "avif\x00\x00\x00\x00avifmif1") + isoBox("mdat", "pixels"), uploads.Damaged},
		{"an AVIF whose boxes leave each other", strings.Replace(anAVIF(2, 2), "ipco", "free", 1), uploads.Damaged},
		{"an AVIF of no pixels", anAVIF(0, 2), uploads.Damaged},
		{"an AVIF of 4 billion pixels' width", anAVIF(0xFFFFFFFF, 1), uploads.Damaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := memstore.New()
			_, err := newService(t, b, uploads.Config{}).Store(t.Context(), uploads.Upload{Body: strings.NewReader(tt.content)})
			require.Equal(t, tt.code, uploads.CodeOf(err), "%v", err)
			require.Empty(t, listKeys(t, b))
		})
	}
}

// Inspection takes little time even for files that are made to take long.
func TestInspectHostileFilesQuickly(t *testing.T) {
	j := aJPEG()
	segment := "\xff\xfe\xff\xff" + strings.Repeat("*/", 0x7FFE) + "*"
	tests := []struct{ name, content string }{
		{"ends of comments in a JPEG", j[:2] + "\xff\xe1/*" + strings.Repeat("*/", 6036) + strings.Repeat(segment, 15) + j[2:]},
		{"empty boxes in an AVIF", isoBox("ftyp", "avif\x00\x00\x00\x00avifmif1") + isoBox("meta", strings.Repeat("\x00\x00\x00\x08free", 120_000))},
		{"pieces of one byte in a GIF", "GIF89a\x03\x00\x02\x00\x00\x00\x00\x21\xfe" + strings.Repeat("\x01x", 500_000)},
		{"texts in a GIF", "GIF89a=`\x01\x01\x00\x00\x00\x21\xfe" + strings.Repeat("\xff"+strings.Repeat("`a${/[", 43)[:255], 4_000) + "\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00"},
		{"chunks in a WebP", aWebPOf(2, 2, false, strings.Repeat(riffChunk("EXIF", ""), 120_000))},
		{"elements in an SVG", `<svg xmlns="http://www.w3.org/2000/svg">` + strings.Repeat("<g>", 300_000) + `</svg>`},
		{"addresses in an SVG", `<svg xmlns="http://www.w3.org/2000/svg"><g style="` + strings.Repeat("url(#a)", 140_000) + `"/></svg>`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newService(t, memstore.New(), uploads.Config{Rules: rules.Rules{Types: append(rules.Pictures(), "image/svg+xml")}})
			start := time.Now()
			_, _ = s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(tt.content)})
			require.Less(t, time.Since(start), 30*time.Second, "on any machine; looking at each byte again for each would take minutes")
		})
	}
}

// If Config.Inspect returns the same *Error for all files, the service does not modify it.
func TestErrorOfApplicationIsNotChanged(t *testing.T) {
	unwanted := &uploads.Error{Field: "file", Code: "unwanted", Message: "This file is not wanted."}
	s, err := uploads.New(memstore.New(), uploads.Config{
		Rules:     rules.Any(1 << 20),
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{}, nil },
		Inspect:   func(context.Context, *uploads.File, *storage.ReaderAt) error { return unwanted },
	})
	require.NoError(t, err)

	var calls sync.WaitGroup
	for _, name := range []string{"a.pdf", "b.pdf"} {
		calls.Go(func() {
			_, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(pdf), Name: name})
			e, ok := err.(*uploads.Error)
			require.True(t, ok)
			require.Equal(t, name, e.Name)
		})
		calls.Go(func() {
			sendForm(t, s, "file-of-"+name)
		})
	}
	calls.Wait()
	require.Equal(t, uploads.Error{Field: "file", Code: "unwanted", Message: "This file is not wanted."}, *unwanted)
}
