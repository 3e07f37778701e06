package rules

import (
	"bytes"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"regexp"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// textOfXML matches text that is no element, whatever it looks like.
var textOfXML = regexp.MustCompile(`(?s)<!--.*?-->|<!\[CDATA\[.*?\]\]>`)

func newJudge(t testing.TB) *Judge {
	s, err := New(Rules{Types: append(Pictures(), typeSVG, "application/pdf", "text/plain")})
	require.NoError(t, err)
	return s
}

// An accepted file has the detected type. The result depends only on the bytes,
// however they arrive, and inspection reads only the head.
func FuzzDetection(f *testing.F) {
	heads := []string{
		"",
		"GIF89a\x01\x00\x01\x00\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00",
		"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR",
		"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
		"RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00",
		"\x00\x00\x00\x10ftypavif\x00\x00\x00\x00\x00\x00\x00\x0cmeta\x00\x00\x00\x00",
		"<svg xmlns='http://www.w3.org/2000/svg'><g/></svg>",
		"<html><script>",
		"%PDF-1.4",
		"GIF89a/*\x00*/",
		"plain text",
	}
	for _, head := range heads {
		f.Add([]byte(head))
	}

	judge := newJudge(f)
	f.Fuzz(func(t *testing.T, content []byte) {
		// Inspection reads only the head.
		src := bytes.NewReader(content)
		verdict, err := judge.Inspect(t.Context(), src, "")
		require.LessOrEqual(t, len(content)-src.Len(), headBytes)

		// The result is the same if the content arrives byte by byte.
		byteByByte := iotest.OneByteReader(bytes.NewReader(content))
		second, secondErr := judge.Inspect(t.Context(), byteByByte, "")
		require.Equal(t, err, secondErr)
		if err != nil {
			return
		}

		// The verdict has the beginning of the content. The length of that beginning depends on the
		// reader.
		require.Equal(t, content[:len(verdict.Head)], verdict.Head)
		verdict.Head = nil
		verdict.Whole = false
		second.Head = nil
		second.Whole = false
		require.Equal(t, verdict, second)

		// The type and the number of pixels are within the rules.
		require.Contains(t, judge.types, verdict.MediaType)
		require.LessOrEqual(t, int64(verdict.Width)*int64(verdict.Height), judge.rules.MaxPixels)

		// The content has the header of its type. A picture has no markup, and an SVG no script.
		switch verdict.MediaType {
		case "image/png":
			_, err = png.DecodeConfig(bytes.NewReader(content))
		case "image/gif":
			_, err = gif.DecodeConfig(bytes.NewReader(content))
		case "image/jpeg":
			_, err = jpeg.DecodeConfig(bytes.NewReader(content))
		case typeSVG:
			require.NotContains(t, string(bytes.ToLower(textOfXML.ReplaceAll(content, nil))), "<script")
			return
		}
		require.NoError(t, err)
		require.False(t, hasMarkup(content[:min(len(content), markupBytes)]))
	})
}

// A head buffers at most the first headBytes of its source, and cannot return later bytes.
func TestInspectHeadLimit(t *testing.T) {
	h := &head{src: zeros{}}
	n, err := io.Copy(io.Discard, h.reader())
	require.NoError(t, err)
	require.EqualValues(t, headBytes, n)
	require.False(t, h.isWhole())
	require.LessOrEqual(t, cap(h.buf), headBytes)

	_, ok := h.bytesAt(headBytes-1, 2)
	require.False(t, ok)
	_, ok = h.bytesAt(headBytes+1, 0)
	require.False(t, ok)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

// If the reader returns no bytes and no error again and again, Inspect fails with io.ErrNoProgress.
func TestInspectReaderWithoutProgress(t *testing.T) {
	_, err := newJudge(t).Inspect(t.Context(), nothing{}, "")
	require.ErrorIs(t, err, io.ErrNoProgress)
}

// For a small file, inspection allocates a small buffer.
func TestInspectSmallFileHasSmallBuffer(t *testing.T) {
	v, err := newJudge(t).Inspect(t.Context(), bytes.NewReader([]byte("plain text")), "")
	require.NoError(t, err)
	require.LessOrEqual(t, cap(v.Head), sniffBytes)
}
