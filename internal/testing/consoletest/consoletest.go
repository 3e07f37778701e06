// Package consoletest has helpers for tests that open the web page of serve/console in a browser.
package consoletest

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/omnibucket/storage/internal/testing/pagetest"
	"github.com/stretchr/testify/require"
)

// attack is a script that an intruder may store in an object, in the hope that the page runs it. It
// calls a function and a host that the test watches. If the page shows the object as text, neither
// is called.
const attack = "top.ran?.(1);alert(1);fetch('http://attacker.invalid/');new Image().src='http://attacker.invalid/x'"

var HostileNames = []string{
	"<img src=x onerror=alert(1)>", "a\u202egpj.exe", "javascript:alert(1)", "Größe & \"Form\" 'ä' ☕",
	"\"><script>alert(1)</script>", "#/bucket?name=%00&object=x", "..%2f..%2fapi%2finfo",
	"https:⧸⧸attacker.invalid",
}

// hostileObjects are objects whose content would run a script, by their names.
var hostileObjects = map[string]struct{ contentType, text string }{
	"attack.svg": {
		contentType: "image/svg+xml",
		text: `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40" onload="` + attack + `"><script>` + attack +
			`</script><rect width="40" height="40" fill="red"/></svg>`,
	},
	"attack.html": {
		contentType: "text/html",
		text: `<!doctype html><title>x</title><script>` + attack + `</script><img src=x onerror="` + attack +
			`"><iframe src="javascript:` + attack +
			`"></iframe><meta http-equiv=refresh content="0;url=http://attacker.invalid/">`,
	},
	"attack.xml": {
		contentType: "application/xhtml+xml",
		text:        `<html xmlns="http://www.w3.org/1999/xhtml"><script>` + attack + `</script></html>`,
	},
	"attack.png": {contentType: "image/png", text: `<!doctype html><script>` + attack + `</script>`},
	"attack.js":  {contentType: "text/javascript", text: attack},
	"attack.pdf": {
		contentType: "application/pdf",
		text: "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.alert\\('PDF'\\))>>>>endobj " +
			"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj " +
			"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF",
	},
}

// Fill calls put for each of the objects that the browser script expects.
func Fill(t *testing.T, put func(key, contentType string, content []byte)) {
	t.Helper()
	for _, name := range HostileNames {
		put(name, "", []byte(name))
	}
	for name, object := range hostileObjects {
		put("attacks/"+name, object.contentType, []byte(object.text))
	}
	put("2026/june/lake.png", "image/png", picture(t, 1))
	put("2026/june/hills.png", "image/png", picture(t, 2))
	put("2026/july.png", "image/png", picture(t, 3))
	put("notes/read me.md", "text/markdown", []byte("# Notes\n\nIn \u202ethe\u202c beginning <b>was</b> the text.\n"))
	put("notes/long.txt", "text/plain", []byte(strings.Repeat("All work and no play.\n", 20000)))
	put("notes/empty.txt", "text/plain", nil)
	put("notes/data.bin", "application/octet-stream", []byte{0, 1, 2, 3})
	put("sound.wav", "audio/wav", Sound())
	put("report.pdf", "application/pdf", []byte(hostileObjects["attack.pdf"].text))
}

// picture returns a PNG with a gradient whose colors depend on the seed.
func picture(t *testing.T, seed int) []byte {
	t.Helper()
	const width, height = 320, 200
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for x := range width {
		for y := range height {
			gradient := color.RGBA{uint8(x * seed / 2), uint8(y), uint8(60 * seed), 255} //nolint:gosec // it wraps around
			img.Set(x, y, gradient)
		}
	}
	var buf bytes.Buffer
	require.NoError(t, png.Encode(&buf, img))
	return buf.Bytes()
}

// Sound returns a WAV file with a second of silence.
func Sound() []byte {
	const rate = 8000 // samples of one byte a second
	// The header says PCM with one channel: https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html
	wav := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	wav = binary.LittleEndian.AppendUint32(wav, rate) // samples a second
	wav = binary.LittleEndian.AppendUint32(wav, rate) // bytes a second
	wav = append(wav, "\x01\x00\x08\x00data"...)
	wav = binary.LittleEndian.AppendUint32(wav, rate) // bytes of data
	wav = append(wav, bytes.Repeat([]byte{128}, rate)...)
	binary.LittleEndian.PutUint32(wav[4:], uint32(len(wav)-8)) //nolint:gosec // it is small
	return wav
}

// Features says which features the page must offer. Without this list, the browser script could
// skip a step by mistake.
type Features struct {
	Versions   bool `json:"versions"`
	Undelete   bool `json:"undelete"`
	Tags       bool `json:"tags"`
	Sign       bool `json:"sign"`
	Resume     bool `json:"resume"`
	Conditions bool `json:"conditions"`
	Metadata   bool `json:"metadata"`
}

// Browse runs the browser script flow on the page at url, whose bucket must contain the objects of
// [Fill] and has these features. steps says which steps the script takes. values has more values for
// the script, which replace those of Browse.
func Browse(t *testing.T, flow, steps string, features Features, url string, values map[string]any) {
	t.Helper()
	input := map[string]any{
		"name":    "",
		"bucket":  "photos",
		"steps":   steps,
		"url":     url,
		"has":     features,
		"hostile": HostileNames,
		"attacks": len(hostileObjects),
	}
	maps.Copy(input, values)
	pagetest.Run(t, "console", flow, input)
}

// Files creates files to upload, and returns their directory, which has a file of more than 8 MiB,
// small files, and a folder.
func Files(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "holiday", "beach"), 0o700))
	for name, size := range map[string]int{
		"holiday/plan.txt":      2000,
		"holiday/beach/one.txt": 10,
		"holiday/beach/two.txt": 20,
		"large.bin":             17<<20 + 3,
		"small.txt":             300,
		"sound.wav":             40,
	} {
		content := bytes.Repeat([]byte(name+"\n"), size/len(name)+1)[:size]
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), content, 0o600))
	}
	return dir
}
