package main

import (
	"fmt"
	"slices"
	"strings"
)

const module = "github.com/omnibucket/storage"

// A pkg is a package as go list tells it.
type pkg struct {
	ImportPath string
	Imports    []string // what it imports itself
	Deps       []string // and what comes with that
}

// A rule says what some packages may not import.
type rule struct {
	says   string
	covers func(path string) bool // paths as in inModule
	// forbids tells of one import, by its path as in inModule.
	forbids func(importer, path string) bool
	// direct rules look at the package's own imports alone: what it may import
	// may import more.
	direct bool
}

// telemetry is the OpenTelemetry API and what that imports.
var telemetry = []string{
	"go.opentelemetry.io/otel",
	"go.opentelemetry.io/auto/sdk",
	"github.com/cespare/xxhash/v2",
	"github.com/go-logr/logr",
	"github.com/go-logr/stdr",
}

var jobs = []string{"uploads", "transfer", "files", "serve"}

// shared is what several drivers have in common, in this repository or outside it.
var shared = []string{
	"httpdriver",
	"internal/address", "internal/argument", "internal/bucketupdate", "internal/copyparts", "internal/ctxtime", "internal/durable",
	"internal/hexid", "internal/httpheader", "internal/parallel", "internal/sdkerror", "internal/sigv4", "internal/staleupload",
	"internal/transport", "internal/urlpath",
}

var rules = []rule{
	{
		says:   "the root imports the standard library and the OpenTelemetry API, nothing else",
		covers: func(path string) bool { return path == "." },
		forbids: func(_, path string) bool {
			return external(path) && !within(path, telemetry...)
		},
	},
	{
		says:   "memstore adds an ordered map to what the root imports, nothing else: whoever tests on it compiles no SDK",
		covers: func(path string) bool { return within(path, "memstore") },
		forbids: func(_, path string) bool {
			return within(path, "providers") || external(path) && !within(path, telemetry...) && !within(path, "github.com/tidwall/btree")
		},
	},
	{
		says:   "a provider imports no other provider",
		covers: func(path string) bool { return within(path, "providers") },
		forbids: func(importer, path string) bool {
			return within(path, "memstore") || within(path, "providers") && !within(path, provider(importer))
		},
	},
	{
		says:    "jobs never know which provider it is",
		covers:  func(path string) bool { return within(path, jobs...) },
		forbids: func(_, path string) bool { return within(path, "providers", "memstore") },
	},
	{
		says:    "a provider is a translation: it knows no jobs",
		covers:  func(path string) bool { return within(path, "providers", "memstore") },
		forbids: func(_, path string) bool { return within(path, jobs...) },
	},
	{
		says:   "storagetest is for tests alone (its fault layer is for staging too)",
		covers: shipped,
		forbids: func(_, path string) bool {
			return within(path, "storagetest") && !within(path, "storagetest/faults")
		},
		direct: true,
	},
	{
		says:    "wiretest is for tests alone",
		covers:  shipped,
		forbids: func(_, path string) bool { return within(path, "internal/wiretest") },
		direct:  true,
	},
	{
		says:   "what several providers share knows none of them, nor their SDKs",
		covers: func(path string) bool { return within(path, shared...) },
		forbids: func(_, path string) bool {
			return within(path, "providers", "memstore") || external(path) && !within(path, telemetry...)
		},
	},
	{
		says:    "what ships compiles no package of testing",
		covers:  shipped,
		forbids: func(_, path string) bool { return within(path, "testing", "github.com/stretchr/testify") },
	},
}

// shipped is all but the suites themselves, and what tests share.
func shipped(path string) bool {
	return path != "storagetest" && path != "internal/wiretest" && path != "files/recordstest"
}

// check is a line for each import that breaks a rule.
func check(packages []pkg) []string {
	var broken []string
	for _, p := range packages {
		importer := inModule(p.ImportPath)
		for _, r := range rules {
			if !r.covers(importer) {
				continue
			}
			imports := p.Deps
			if r.direct {
				imports = p.Imports
			}
			for _, path := range imports {
				if r.forbids(importer, inModule(path)) {
					broken = append(broken, fmt.Sprintf("%s imports %s: %s", importer, inModule(path), r.says))
				}
			}
		}
	}
	slices.Sort(broken)
	return broken
}

// inModule is a path of this module without the module's name, "." for the
// root, and any other as it is.
func inModule(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

// external paths are other modules': their first element is a host.
func external(path string) bool {
	host, _, _ := strings.Cut(path, "/")
	return strings.Contains(host, ".") && path != "."
}

// within reports whether path is one of roots or below one.
func within(path string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return path == root || strings.HasPrefix(path, root+"/")
	})
}

// provider is the first two elements: "providers/s3" of "providers/s3/profiles".
func provider(path string) string {
	elements := strings.SplitN(path, "/", 3)
	return strings.Join(elements[:min(2, len(elements))], "/")
}
