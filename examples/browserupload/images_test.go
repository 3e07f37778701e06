//go:build omnibucket_sdks

package main

import (
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// testFiles creates a directory of files for the browser to upload.
func testFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()

	// The colors of a sky compress well. Those of a grain do not, so such a picture takes time to send.
	sky := func(x, y, w, h int) color.Color {
		return color.RGBA{uint8(255 * x / w), uint8(120 + 60*y/h), uint8(255 - 255*x/w), 255}
	}
	noise := rand.New(rand.NewPCG(1, 2))
	grain := func(x, y, w, h int) color.Color {
		d := uint8(noise.UintN(64))
		return color.RGBA{uint8(190*y/h) + d, uint8(90*x/w) + d, 110 + d, 255}
	}

	// The first four files are pictures that the site takes. It refuses the others.
	for name, write := range map[string]func(io.Writer) error{
		"gradient.jpg":       func(w io.Writer) error { return jpeg.Encode(w, picture(1200, 900, sky), nil) },
		"Größe & Form ☕.png": func(w io.Writer) error { return png.Encode(w, picture(900, 675, grain)) },
		"stripes.gif":        func(w io.Writer) error { return gif.Encode(w, stripes(320, 240), nil) },
		"by-keyboard.png":    func(w io.Writer) error { return png.Encode(w, picture(320, 240, sky)) },
		"large.png": func(w io.Writer) error {
			_, err := w.Write(make([]byte, maxBytes+1))
			return err
		},
		"liar.png":  text("These are words, whatever the name says.\n"),
		"notes.txt": text("No image.\n"),
		"empty.png": text(""),
	} {
		f, err := os.Create(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NoError(t, write(f))
		require.NoError(t, f.Close())
	}
	return dir
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func picture(w, h int, pixel func(x, y, w, h int) color.Color) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, pixel(x, y, w, h))
		}
	}
	return img
}

func stripes(w, h int) image.Image {
	img := image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{color.RGBA{36, 87, 214, 255}, color.RGBA{250, 214, 120, 255}})
	for y := range h {
		for x := range w {
			img.SetColorIndex(x, y, uint8((x+y)/24%2))
		}
	}
	return img
}
