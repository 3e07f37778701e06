//go:build unix

package rules

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/testserver"
)

// Inspection takes time in proportion to the size of the file, even if the file repeats what the inspector searches
// for.
func TestInspectTakesTimeInProportion(t *testing.T) {
	testserver.Slow(t)
	const (
		page      = `<svg xmlns="http://www.w3.org/2000/svg">`
		times     = 16 // the large file is as many times the size of the small one
		smallSize = headBytes / 32
		largeSize = times * smallSize
	)

	// repeat returns a function that makes content of about n bytes. The content is the prefix, the
	// unit again and again, and the suffix.
	repeat := func(prefix, unit, suffix string) func(n int) string {
		return func(n int) string {
			return prefix + strings.Repeat(unit, (n-len(prefix)-len(suffix))/len(unit)) + suffix
		}
	}

	// style returns a function that repeats the unit in a style sheet of an SVG.
	style := func(unit string) func(n int) string { return repeat(page+"<style>", unit, "</style></svg>") }
	chunk := func(name string) string { return name + "\x00\x00\x00\x00" }

	tests := []struct {
		name       string
		newContent func(size int) string
	}{
		{name: "SVG: pictures in a style", newContent: style("url(data:image/png;scripscripscrip")},
		{name: "SVG: pictures in quotes", newContent: style(`url("""""data:image/png;`)},
		{name: "SVG: references to the document", newContent: style("url(#a")},
		{name: "SVG: one reference and letters", newContent: style("url(#script")},
		{name: "SVG: functions that do not end", newContent: style("min(a ")},
		{name: "SVG: a function's name that does not end", newContent: style("a")},
		{
			name:       "SVG: a function's words that do not end",
			newContent: repeat(page+"<style>min(", "a ", "</style></svg>"),
		},
		{name: "SVG: imports that are none", newContent: style("@impor")},
		{
			name:       "SVG: pictures in an attribute",
			newContent: repeat(page+`<g style="`, "url(data:image/png;scrip", `"/></svg>`),
		},
		{name: "SVG: pictures in an animation", newContent: repeat(page+`<set to="`, "url(#scrip", `"/></svg>`)},
		{name: "SVG: an address", newContent: repeat(page+`<use href="data:image/png;`, "scrip", `"/></svg>`)},
		{
			name: "SVG: elements in elements",
			newContent: func(n int) string {
				depth := n/len("<g></g>") - 7
				return page + strings.Repeat("<g>", depth) + strings.Repeat("</g>", depth) + "</svg>"
			},
		},
		{
			name: "SVG: attributes of one element",
			newContent: func(n int) string {
				var b strings.Builder
				b.WriteString(page + "<g ")
				for i := 0; b.Len() < n-30; i++ {
					b.WriteString("a" + strconv.Itoa(i) + `="" `)
				}
				return b.String() + "/></svg>"
			},
		},
		{name: "SVG: elements with a style", newContent: repeat(page, `<g style="fill:url(#a)"/>`, "</svg>")},
		{name: "SVG: style sheets", newContent: repeat(page, `<style>url(data:image/png;</style>`, "</svg>")},
		{name: "SVG: comments", newContent: repeat(page, `<!-- - -->`, "</svg>")},
		{name: "SVG: a comment", newContent: repeat(page+"<!--", "- ", "--></svg>")},
		{name: "SVG: entities", newContent: repeat(page, "&lt;", "</svg>")},
		{name: "SVG: text in pieces", newContent: repeat(page, "]] >", "</svg>")},
		{
			name:       "SVG: one document type",
			newContent: repeat(`<?xml version="1.0"?><!DOCTYPE svg PUBLIC "`, " ", `" "">`+page+"</svg>"),
		},
		{name: "GIF: extensions", newContent: repeat("GIF89a\x01\x00\x01\x00\x00\x00\x00", "\x21\xfe\x00", ";")},
		{
			name:       "GIF: pieces of an extension",
			newContent: repeat("GIF89a\x01\x00\x01\x00\x00\x00\x00\x21\xfe", "\x01 ", "\x00;"),
		},
		{name: "GIF: a program", newContent: repeat("GIF89a/*\x00\x00\x00\x00", "*", "\x00;")},
		{
			name:       "GIF: a program of texts",
			newContent: repeat("GIF89a=\x001\x00\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00", "`${'/[", ""),
		},
		{name: "JPEG: segments", newContent: repeat("\xff\xd8", "\xff\xfe\x00\x02", "")},
		{name: "JPEG: fill bytes", newContent: repeat("\xff\xd8", "\xff", "")},
		{
			name:       "JPEG: tables",
			newContent: repeat("\xff\xd8", "\xff\xc4\x00\x14\x00\x01"+strings.Repeat("\x00", 15)+"\x00", ""),
		},
		{
			name: "PNG: a program",
			newContent: repeat(
				"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00\x3a\x7e\x9b\x55",
				"\x00\x00\x00\x00tEXt\x00\x00\x00\x00",
				"",
			),
		},
		{
			name: "WebP: chunks",
			newContent: repeat(
				"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
				chunk("EXIF"),
				"",
			),
		},
		{
			name:       "AVIF: boxes",
			newContent: repeat("\x00\x00\x00\x10ftypavif\x00\x00\x00\x00", "\x00\x00\x00\x08free", ""),
		},
		{
			name: "AVIF: boxes in boxes",
			newContent: repeat(
				"\x00\x00\x00\x10ftypavif\x00\x00\x00\x00\x00\x10\x00\x00meta\x00\x00\x00\x00",
				"\x00\x00\x10\x00iprp\x00\x00\x00\x08ipco",
				"",
			),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := New(Rules{Types: append(Pictures(), typeSVG)})
			require.NoError(t, err)

			// cost returns the processor time of the faster of two runs, because the machine does
			// other things too.
			cost := func(content []byte) time.Duration {
				best := time.Hour
				for range 2 {
					start := processorTime(t)
					_, _ = s.Inspect(t.Context(), bytes.NewReader(content), "")
					best = min(best, processorTime(t)-start)
				}
				return best
			}

			// Other work of the machine may disturb a measurement, so the test passes if one of
			// three measurements is good.
			const (
				tolerance = 3
				shortest  = 2 * time.Millisecond // that can be measured
			)
			var small, large time.Duration
			for range 3 {
				small = cost([]byte(tt.newContent(smallSize)))
				large = cost([]byte(tt.newContent(largeSize)))
				isProportional := large < tolerance*times*max(small, shortest)
				if isProportional {
					return
				}
			}
			t.Fatalf("%v for %d bytes, %v for %d times as many", small, smallSize, large, times)
		})
	}
}

// processorTime returns the processor time of this process.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// Inspect stops reading when its context ends, and fails with the error of the context.
func TestInspectEndsWithContext(t *testing.T) {
	tests := []struct {
		name    string
		content string
	}{
		{name: "SVG", content: `<svg xmlns="http://www.w3.org/2000/svg">` + strings.Repeat("<g/>", 100_000) + "</svg>"},
		{name: "GIF", content: "GIF89a\x01\x00\x01\x00\x00\x00\x00" + strings.Repeat("\x21\xfe\x00", 100_000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			judge, err := New(Rules{Types: append(Pictures(), typeSVG)})
			require.NoError(t, err)

			// The reader cancels the context after the first bytes.
			ctx, cancel := context.WithCancel(t.Context())
			r := &cancelsAfter{from: strings.NewReader(tt.content), left: 2 * sniffBytes, cancel: cancel}
			_, err = judge.Inspect(ctx, r, "")
			require.ErrorIs(t, err, context.Canceled)
			require.Less(t, r.read, int64(len(tt.content)), "the rest must not be read")
		})
	}

	t.Run("an SVG that was read whole", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		h := &head{ctx: ctx, src: strings.NewReader(`<svg xmlns="http://www.w3.org/2000/svg"/>`)}
		h.fill(headBytes)

		// The context ends before the content that is in memory is inspected.
		cancel()
		_, _, _ = inspectSVG(h)
		require.ErrorIs(t, h.failure(), context.Canceled)
	})
}

// cancelsAfter is a reader that cancels a context after a given number of bytes was read.
type cancelsAfter struct {
	from   io.Reader
	read   int64
	left   int64
	cancel context.CancelFunc
}

// Read cancels the context when c.left bytes have been read.
func (c *cancelsAfter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p[:min(len(p), sniffBytes)])
	c.read += int64(n)
	if c.read >= c.left {
		c.cancel()
	}
	return n, err
}
