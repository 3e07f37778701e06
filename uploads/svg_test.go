package uploads_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// svgStart begins an SVG document, in which xlink: is the prefix of links.
const svgStart = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">`

// svgWith returns an SVG document with this content.
func svgWith(content string) string { return svgStart + content + `</svg>` }

// An SVG that only draws is stored.
func TestRulesAcceptSVGThatOnlyDraws(t *testing.T) {
	tests := []struct{ name, content string }{
		{name: "a drawing", content: svgFile},
		{name: "a drawing with a style", content: svgWith(`<style>rect{fill:url(#g)}</style><path d="M0 0\"/>`)},
		{name: "a picture inside", content: svgWith(`<image href="data:image/png;base64,AA"/>`)},
		{
			name:    "an animation of a number",
			content: svgWith(`<rect><animate attributeName="x" from="0" to="9"/></rect>`),
		},
		{
			name:    "a document type",
			content: `<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">` + svgWith(""),
		},
		{
			name:    "a document type of SVG 1.0, in single quotes",
			content: "<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.0//EN'\n'http://www.w3.org/TR/2001/REC-SVG-20010904/DTD/svg10.dtd'>" + svgWith(""),
		},
		{name: "a document type without a definition", content: `<!DOCTYPE svg>` + svgWith("")},
		{name: "a byte order mark", content: "\xef\xbb\xbf" + svgWith("")},
		{
			name:    "a mark and a declaration",
			content: "\xef\xbb\xbf<?xml version='1.0' encoding='utf-8' standalone=\"no\"?>" + svgWith(""),
		},
		{name: "a license in front", content: "<!-- License: MIT -->\n<!-- <g> -->\n" + svgWith("")},
		{
			name:    "a document type without a declaration",
			content: `<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">` + svgWith(""),
		},
		{
			name:    "a root with a prefix",
			content: `<?xml version="1.0"?><svg:svg xmlns:svg="http://www.w3.org/2000/svg"><svg:rect/></svg:svg>`,
		},
		{name: "an element in a comment", content: svgWith(`<!-- <rect onload="x"/> -->`)},
		{
			name:    "text that looks like a function",
			content: svgWith(`<g aria-label="Copy (2)" data-name="a(b)" inkscape:label="Layer(1)"/>`),
		},
		{
			name:    "functions that only compute",
			content: svgWith(`<style>@media (min-width: 9px) and (x) {rect{fill:rgb(1 2 3);transform:translate(calc(1px + 2px))}}</style><g transform="rotate(9)"/>`),
		},
		{
			name:    "rules without spaces",
			content: svgWith(`<style>@media(min-width:9px){g{x:1}}@supports(display:grid){g{x:1}}@container(width>9px){g{x:1}}@scope(.a){g{x:atan2(1px,2px)}}</style>`),
		},
		{
			name:    "a comment with brackets",
			content: svgWith(`<style>/* icon(s), (c) us(2026) */ rect{fill:red}</style><g style="/* layer(s) */x:1"/>`),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newService(t, memstore.New(), uploads.Config{Rules: rules.Rules{Types: []string{"image/svg+xml"}}})
			_, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(tt.content)})
			require.NoError(t, err)
		})
	}
}

// An SVG that does more than draw, or that is damaged, is refused.
func TestRulesRefuseSVGThatDoesMore(t *testing.T) {
	tests := []struct {
		name     string
		content  string
		wantCode uploads.Code
	}{
		// Scripts and pages.
		{name: "a script", content: svgWith(`<script>alert(1)</script>`), wantCode: uploads.ActiveContent},
		{name: "a script in large letters", content: svgWith(`<SCRIPT href="x"/>`), wantCode: uploads.ActiveContent},
		{
			name:     "a script with a prefix",
			content:  `<svg xmlns="http://www.w3.org/2000/svg" xmlns:s="http://www.w3.org/2000/svg"><s:script/></svg>`,
			wantCode: uploads.ActiveContent,
		},
		{name: "a handler", content: svgWith(`<rect onload="alert(1)"/>`), wantCode: uploads.ActiveContent},
		{
			name:     "a link that runs",
			content:  svgWith(`<a xlink:href="java&#9;script:alert(1)"/>`),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "an animation that sets a link",
			content:  svgWith(`<animate attributeName="xlink:href" to="x"/>`),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "an animation to a script",
			content:  svgWith(`<set to="javascript:alert(1)"/>`),
			wantCode: uploads.ActiveContent,
		},
		{name: "a page inside", content: svgWith(`<foreignObject/>`), wantCode: uploads.ActiveContent},
		{
			name:     "HTML by its namespace",
			content:  svgWith(`<b xmlns="http://www.w3.org/1999/xhtml"/>`),
			wantCode: uploads.ActiveContent,
		},

		// Text that is harmless in XML, but not when a browser reads the file as HTML.
		{
			name:     "a comment that HTML ends",
			content:  svgWith(`<!--><img src=x onerror=alert(1)>-->`),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a comment that HTML ends a byte later",
			content:  svgWith(`<!---><img src=x onerror=alert(1)>-->`),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a document type that HTML ends",
			content:  `<?xml version="1.0"?><!DOCTYPE svg PUBLIC "><img src=x onerror=alert(1)>" "">` + svgWith(""),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a declaration that HTML ends",
			content:  `<?xml version="1.0" x="><img src=x onerror=alert(1)>"?>` + svgWith(""),
			wantCode: uploads.Damaged,
		},
		{
			name:     "a declaration of UTF-7",
			content:  `<?xml version="1.0" encoding = "UTF-7"?>` + svgWith(""),
			wantCode: uploads.Damaged,
		},

		// References to other sites and other drawings.
		{
			name:     "an external reference",
			content:  svgWith(`<use href="https://evil.example/x.svg#a"/>`),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "an external base",
			content:  svgWith(`<g xml:base="https://evil.example/a.svg"><use href="#x"/></g>`),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a report of clicks",
			content:  svgWith(`<a href="#x" ping="https://evil.example"/>`),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a drawing in an address",
			content:  svgWith(`<use href="data:image/svg+xml;base64,AA"/>`),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a fill that fetches",
			content:  svgWith(`<rect fill="url( 'https://evil.example' )"/>`),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a property that fetches by image",
			content:  svgWith(`<rect mask='image("https://evil.example/x.png")'/>`),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "an unknown function",
			content:  svgWith(`<rect style="mask:fetch('https://evil.example')"/>`),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "an attribute that fetches by image-set",
			content:  svgWith(`<rect style='mask-image:-webkit-image-set("https://evil.example/x.png" 1x)'/>`),
			wantCode: uploads.ActiveContent,
		},

		// Style sheets and styles that refer to other sites.
		{
			name:     "a style that fetches",
			content:  svgWith(`<style>@import "https://evil.example"</style>`),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a style that fetches by image-set",
			content:  svgWith(`<style>svg{background-image:image-set("https://evil.example/x.png" 1x)}</style>`),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a font by src",
			content:  svgWith(`<style>@font-face{src:src("https://evil.example/x")}</style>`),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a picture by cross-fade",
			content:  svgWith(`<style>g{mask:cross-fade("https://evil.example/x", red)}</style>`),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a style cut by a comment",
			content:  svgWith(`<style>@im<!-- -->port "x"</style>`),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a style after an element",
			content:  svgWith(`<style><g/>@import "x"</style>`),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a style that hides its letters",
			content:  svgWith(`<rect style="fill:u\72l(//evil.example)"/>`),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a comment that begins in a text",
			content:  svgWith(`<style>a{content:"/*"}rect{mask:image-set(var(--x))}a{content:"*/"}</style>`),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a function of bare words, cut by an element",
			content:  svgWith(`<style>rect{mask:image-set(<g>x)</g>"https://evil.example" 1x)}</style>`),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a rule cut by an element with text",
			content:  svgWith(`<style>@im<g>x</g>port "https://evil.example"</style>`),
			wantCode: uploads.ActiveContent,
		},

		// Document types and instructions.
		{
			name:     "entities",
			content:  `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "b">]>` + svgWith(""),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "external entities",
			content:  `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>` + svgWith(""),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "external parameter entities",
			content:  `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY % a SYSTEM "https://evil.example/x"> %a;]>` + svgWith(""),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "entities beside the W3C's definition",
			content:  `<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd" [<!ENTITY a SYSTEM "x">]>` + svgWith(""),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "an external definition",
			content:  `<!DOCTYPE svg SYSTEM "http://evil.example/x.dtd">` + svgWith(""),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "an external definition in a file",
			content:  `<!DOCTYPE svg SYSTEM 'file:///etc/passwd'>` + svgWith(""),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a definition beside the drawing",
			content:  `<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x.dtd">` + svgWith(""),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "an external definition with a known name",
			content:  `<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://evil.example/svg11.dtd">` + svgWith(""),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a definition at a host like the W3C's",
			content:  `<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org.evil.example/svg11.dtd">` + svgWith(""),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a definition at a user named like the W3C",
			content:  `<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org@evil.example/svg11.dtd">` + svgWith(""),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a name that is not known",
			content:  `<!DOCTYPE svg PUBLIC "-//EVIL//DTD X//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">` + svgWith(""),
			wantCode: uploads.ActiveContent,
		},
		{
			name:     "a style sheet's instruction",
			content:  `<?xml version="1.0"?><?xml-stylesheet href="x"?>` + svgWith(""),
			wantCode: uploads.ActiveContent,
		},

		// These documents are damaged, too large, or no SVG.
		{name: "a declaration in the middle", content: svgWith(`<?xml version="1.0"?>`), wantCode: uploads.Damaged},
		{name: "ends that do not fit", content: svgWith(`<g><title></g></title>`), wantCode: uploads.Damaged},
		{name: "an attribute twice", content: svgWith(`<g id="a" id="b"/>`), wantCode: uploads.Damaged},
		{name: "text before", content: `hello ` + svgWith(""), wantCode: uploads.TypeNotAllowed},
		{name: "text after the end", content: svgStart + `</svg>hello`, wantCode: uploads.Damaged},
		{
			name:     "another encoding",
			content:  `<?xml version="1.0" encoding="UTF-16"?>` + svgWith(""),
			wantCode: uploads.Damaged,
		},
		{name: "two roots", content: svgStart + `</svg><svg/>`, wantCode: uploads.Damaged},
		{name: "no end", content: svgStart + `<rect>`, wantCode: uploads.Damaged},
		{name: "an end too many", content: svgWith(`</svg>`), wantCode: uploads.Damaged},
		{
			name:     "too much to look through",
			content:  svgStart + strings.Repeat("<g/>", 1<<19) + `</svg>`,
			wantCode: uploads.TooLarge,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New()
			s := newService(t, bucket, uploads.Config{Rules: rules.Rules{Types: []string{"image/svg+xml"}}})
			_, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(tt.content)})
			require.Equal(t, tt.wantCode, uploads.CodeOf(err), "%v", err)
			require.Empty(t, listKeys(t, bucket))
		})
	}
}

// The error for an SVG with a link names the link, and does not call the file a program.
func TestRulesNameLinkInSVG(t *testing.T) {
	s := newService(t, memstore.New(), uploads.Config{Rules: rules.Rules{Types: []string{"image/svg+xml"}}})
	const linkSVG = `<svg xmlns="http://www.w3.org/2000/svg"><a href="https://example.com"><text>x</text></a></svg>`
	_, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(linkSVG)})
	require.Equal(t, uploads.ActiveContent, uploads.CodeOf(err))
	require.ErrorContains(t, err, "a link or an external reference")
	require.NotContains(t, err.Error(), "program")
}
