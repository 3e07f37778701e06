package uploads_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

func TestAnSVGThatDoesMoreThanDrawIsRefused(t *testing.T) {
	const page = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">`
	for _, row := range []struct {
		name, content string
		code          uploads.Code // "": it is stored
	}{
		{"a drawing", anSVG, ""},
		{"a drawing with a style", page + `<style>rect{fill:url(#g)}</style><path d="M0 0\"/></svg>`, ""},
		{"a picture inside", page + `<image href="data:image/png;base64,AA"/></svg>`, ""},
		{"an animation of a number", page + `<rect><animate attributeName="x" from="0" to="9"/></rect></svg>`, ""},
		{"a document type", `<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x.dtd">` + page + `</svg>`, ""},
		{"a script", page + `<script>alert(1)</script></svg>`, uploads.ActiveContent},
		{"a script in large letters", page + `<SCRIPT href="x"/></svg>`, uploads.ActiveContent},
		{"a script behind a prefix", `<svg xmlns="http://www.w3.org/2000/svg" xmlns:s="http://www.w3.org/2000/svg"><s:script/></svg>`, uploads.ActiveContent},
		{"a handler", page + `<rect onload="alert(1)"/></svg>`, uploads.ActiveContent},
		{"a link that runs", page + `<a xlink:href="java&#9;script:alert(1)"/></svg>`, uploads.ActiveContent},
		{"a page inside", page + `<foreignObject/></svg>`, uploads.ActiveContent},
		{"HTML by its namespace", page + `<b xmlns="http://www.w3.org/1999/xhtml"/></svg>`, uploads.ActiveContent},
		{"a reference to elsewhere", page + `<use href="https://evil.example/x.svg#a"/></svg>`, uploads.ActiveContent},
		{"a drawing in an address", page + `<use href="data:image/svg+xml;base64,AA"/></svg>`, uploads.ActiveContent},
		{"a style that fetches", page + `<style>@import "https://evil.example"</style></svg>`, uploads.ActiveContent},
		{"a style cut by a comment", page + `<style>@im<!-- -->port "x"</style></svg>`, uploads.ActiveContent},
		{"a style behind an element", page + `<style><g/>@import "x"</style></svg>`, uploads.ActiveContent},
		{"a style that hides its letters", page + `<rect style="fill:u\72l(//evil.example)"/></svg>`, uploads.ActiveContent},
		{"a fill that fetches", page + `<rect fill="url( 'https://evil.example' )"/></svg>`, uploads.ActiveContent},
		{"an animation that sets a link", page + `<animate attributeName="xlink:href" to="x"/></svg>`, uploads.ActiveContent},
		{"an animation to a script", page + `<set to="javascript:alert(1)"/></svg>`, uploads.ActiveContent},
		{"entities", `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "b">]>` + page + `</svg>`, uploads.ActiveContent},
		{"a style sheet's instruction", `<?xml version="1.0"?><?xml-stylesheet href="x"?>` + page + `</svg>`, uploads.ActiveContent},
		{"another encoding", `<?xml version="1.0" encoding="UTF-16"?>` + page + `</svg>`, uploads.Damaged},
		{"two roots", page + `</svg><svg/>`, uploads.Damaged},
		{"no end", page + `<rect>`, uploads.Damaged},
		{"an end too many", page + `</svg></svg>`, uploads.Damaged},
		{"too much to look through", page + strings.Repeat("<g/>", 1<<19) + `</svg>`, uploads.TooLarge},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := memstore.New()
			s := newService(t, b, uploads.Config{Types: []string{"image/svg+xml"}})
			_, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(row.content)})
			require.Equal(t, row.code, uploads.CodeOf(err), "%v", err)
			if row.code != "" {
				require.Empty(t, keys(t, b))
			}
		})
	}
}
