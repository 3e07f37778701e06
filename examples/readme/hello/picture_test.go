package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

const picture = "../../../docs/pictures/hello.svg"

// The picture in the README is what the program of the README prints, on three stores and in a second run. The test
// draws the picture again if OMNIBUCKET_DRAW is set.
func TestPicture(t *testing.T) {
	server, err := s3server.Start(s3server.Config{Buckets: []string{"demo"}})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	t.Setenv("AWS_ACCESS_KEY_ID", s3server.DefaultAccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3server.DefaultSecretKey)

	// The program runs on three stores, and twice on the directory. The picture shows other addresses than those of the
	// test.
	runs := []struct{ shown, address string }{
		{shown: "mem://demo", address: "mem://demo"},
		{shown: "'file:///tmp/demo?create=true'", address: "file://" + dir + "/demo?create=true"},
		{shown: "'file:///tmp/demo?create=true'", address: "file://" + dir + "/demo?create=true"},
		{
			shown:   "'s3://demo?endpoint=http://localhost:9000&profile=omnibucket&region=us-east-1'",
			address: "s3://demo?endpoint=" + server.URL + "&profile=omnibucket&region=us-east-1",
		},
	}
	var lines []string
	for _, run := range runs {
		var buf bytes.Buffer
		require.NoError(t, hello(t.Context(), run.address, &buf))
		lines = append(lines, "$ go run . "+run.shown)
		lines = append(lines, strings.Split(strings.TrimSpace(buf.String()), "\n")...)
	}

	drawn := draw(lines)
	if os.Getenv("OMNIBUCKET_DRAW") != "" {
		require.NoError(t, os.WriteFile(picture, []byte(drawn), 0o600))
	}

	data, err := os.ReadFile(picture)
	require.NoError(t, err)
	require.Equal(t, string(data), drawn)
}

const (
	width      = 840 // pixels; the longest line fits in wide fonts, too
	lineHeight = 22
	margin     = 20
)

// draw returns a terminal as SVG. It follows the color scheme of the reader.
func draw(lines []string) string {
	height := lineHeight*len(lines) + 2*margin + lineHeight
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">
<style>
rect { fill: #f6f8fa; stroke: #d0d7de } text { font: 14px ui-monospace, Menlo, Consolas, monospace; fill: #57606a; white-space: pre } .typed { fill: #0b5cad; font-weight: 600 } circle { fill: #d0d7de }
@media (prefers-color-scheme: dark) { rect { fill: #161b22; stroke: #30363d } text { fill: #9da7b3 } .typed { fill: #79c0ff } circle { fill: #30363d } }
</style>
<rect x=".5" y=".5" width="%d" height="%d" rx="8"/>
<circle cx="20" cy="18" r="5"/><circle cx="38" cy="18" r="5"/><circle cx="56" cy="18" r="5"/>
`, width, height, escaped(strings.Join(lines, ". ")), width-1, height-1)

	// Commands are in another color than their output.
	for i, line := range lines {
		class := ""
		if strings.HasPrefix(line, "$ ") {
			class = ` class="typed"`
		}
		fmt.Fprintf(&s, "<text x=\"%d\" y=\"%d\"%s>%s</text>\n", margin, margin+lineHeight*(i+2)-lineHeight/3, class, escaped(line))
	}
	s.WriteString("</svg>\n")
	return s.String()
}

func escaped(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}
