package main

import (
	"fmt"
	"slices"
	"strings"
)

const module = "github.com/omnibucket/storage"

// A pkg is a package that "go list" has printed.
type pkg struct {
	ImportPath string
	Imports    []string // packages that the package itself imports
	Deps       []string // all direct and indirect dependencies
}

// A rule says which imports are forbidden. The field "says" is the text of the rule. The function
// in "covers" selects the importing packages, and the function in "forbids" selects the imports.
// Both functions get paths in the form of the function inModule.
type rule struct {
	says    string
	covers  func(path string) bool
	forbids func(importer, path string) bool
	// direct is true if only the imports of the package itself count, and not those of its
	// dependencies.
	direct bool
}

// telemetry lists the modules of the OpenTelemetry API and of its dependencies.
var telemetry = []string{
	"go.opentelemetry.io/otel",
	"go.opentelemetry.io/auto/sdk",
	"github.com/cespare/xxhash/v2",
	"github.com/go-logr/logr",
	"github.com/go-logr/stdr",
}

var jobs = []string{"uploads", "lease", "commit", "transfer", "serve"}

// crc64nvme lists the module that computes S3's default checksum, and its dependency.
var crc64nvme = []string{"github.com/minio/crc64nvme", "github.com/klauspost/cpuid/v2"}

// s3Stores lists the packages in which s3server stores objects.
var s3Stores = []string{"s3server/internal/memory", "s3server/internal/driverstore"}

// s3Requests lists the packages of s3server that a request goes through, down to the conversion of
// its error.
var s3Requests = []string{
	"s3server/internal/request", "s3server/internal/access", "s3server/internal/operations",
	"s3server/internal/storageerror",
}

// shared lists the packages that several providers may import.
var shared = []string{
	"driver", "providers/internal",
	"internal/argument", "internal/escape", "internal/hexid", "internal/localfile",
	"internal/revisions", "internal/running", "internal/sdkerror", "internal/transport",
}

// machines lists the parts of the engine that must not import a package of the API.
var machines = []string{
	"internal/core", "internal/evidence", "internal/headertext", "internal/metadata",
	"internal/objectkey", "internal/redact", "internal/running", "internal/uploadtoken", "engine/internal/pace", "engine/internal/telemetry",
}

var rules = []rule{
	{
		says:   "the root, driver and engine import only the standard library and the OpenTelemetry API",
		covers: func(path string) bool { return path == "." || within(path, "driver", "engine") },
		forbids: func(_, path string) bool {
			return external(path) && !within(path, telemetry...)
		},
	},
	{
		says:    "what drivers see does not know the engine",
		covers:  func(path string) bool { return within(path, "driver") },
		forbids: func(_, path string) bool { return within(path, "engine") },
	},
	{
		says:   "a machine of the engine imports only the standard library and other internal packages, and some OpenTelemetry",
		covers: func(path string) bool { return within(path, machines...) },
		forbids: func(importer, path string) bool {
			return path == "." ||
				external(path) && !(within(importer, "engine/internal/telemetry") && within(path, telemetry...))
		},
	},
	{
		says: "internal/core is for the root and the engine, and for what they share",
		covers: func(path string) bool {
			return path != "." && !within(path, "engine", "internal") && shipped(path)
		},
		forbids: func(_, path string) bool { return within(path, "internal/core") },
		direct:  true,
	},
	{
		says:   "memstore adds only an ordered map to the imports of the root, so that a test with it compiles no SDK",
		covers: func(path string) bool { return within(path, "memstore") },
		forbids: func(_, path string) bool {
			return within(path, "providers") ||
				external(path) && !within(path, telemetry...) && !within(path, "github.com/tidwall/btree")
		},
	},
	{
		says:   "a provider imports no other provider",
		covers: func(path string) bool { return within(path, "providers") },
		forbids: func(importer, path string) bool {
			return within(path, "memstore") ||
				within(path, "providers") && !within(path, provider(importer), "providers/internal")
		},
	},
	{
		says:    "a job or layer imports no provider",
		covers:  func(path string) bool { return within(path, jobs...) || within(path, "layers") },
		forbids: func(_, path string) bool { return within(path, "providers", "memstore") },
	},
	{
		says:   "signing for a CDN and purging it need no store and no SDK",
		covers: func(path string) bool { return within(path, "cdn", "internal/cdnapi") },
		forbids: func(_, path string) bool {
			return within(path, "providers", "memstore", "engine") || external(path) && !within(path, telemetry...)
		},
	},
	{
		says:    "the rules for files of users know neither HTTP nor the API",
		covers:  func(path string) bool { return within(path, "uploads/rules") },
		forbids: func(_, path string) bool { return path == "." || path == "net/http" },
	},
	{
		says:    "a provider imports no job and no layer",
		covers:  func(path string) bool { return within(path, "providers", "memstore") },
		forbids: func(_, path string) bool { return within(path, jobs...) || within(path, "layers") },
	},
	{
		says:   "storagetest is only for tests (its fault layer is for staging too)",
		covers: shipped,
		forbids: func(_, path string) bool {
			return within(path, "storagetest") && !within(path, "storagetest/faults")
		},
		direct: true,
	},
	{
		says:    "internal/testing is only for tests",
		covers:  shipped,
		forbids: func(_, path string) bool { return forTests(path) },
	},
	{
		says:   "a package that several providers share imports no provider and no SDK",
		covers: func(path string) bool { return within(path, shared...) },
		forbids: func(_, path string) bool {
			return within(path, "providers", "memstore") && !within(path, "providers/internal") ||
				external(path) && !within(path, telemetry...)
		},
	},
	{
		says:   "only locations imports YAML, and it imports no layer and no driver",
		covers: func(path string) bool { return !within(path, "cmd/omnibucket") && shipped(path) },
		forbids: func(importer, path string) bool {
			return within(importer, "locations") && within(path, "layers", "providers", "memstore") ||
				!within(importer, "locations") && within(path, "go.yaml.in/yaml")
		},
		direct: true,
	},
	{
		says: "a part of s3server knows neither the server nor a store, and adds only CRC64NVME to the standard library",
		covers: func(path string) bool {
			return within(path, "s3server/internal") && !within(path, s3Stores...) && !within(path, s3Requests...)
		},
		forbids: func(_, path string) bool {
			return path == "." || path == "s3server" || within(path, "providers", "memstore") ||
				external(path) && !within(path, crc64nvme...)
		},
	},
	{
		says:   "the way of a request through s3server knows neither the server nor what is behind state.Store",
		covers: func(path string) bool { return within(path, s3Requests...) },
		forbids: func(_, path string) bool {
			return path == "s3server" || within(path, s3Stores...) || within(path, "providers", "memstore")
		},
	},
	{
		says:   "a store of s3server takes a driver from its caller",
		covers: func(path string) bool { return within(path, s3Stores...) },
		forbids: func(_, path string) bool {
			return path == "s3server" || within(path, "providers", "memstore")
		},
	},
	{
		says:    "a module beside this one imports none of its internal packages, because their versions may differ",
		covers:  beside,
		forbids: func(_, path string) bool { return within(path, "internal") },
		direct:  true,
	},
	{
		says: "a package that ships does not depend on a package for testing",
		// The adapter for Thanos and the plugin for Velero must import packages of theirs that import testing.
		covers:  func(path string) bool { return shipped(path) && !within(path, "adapters/objstore", "plugins/velero") },
		forbids: func(_, path string) bool { return within(path, "testing", "github.com/stretchr/testify") },
	},
}

// shipped reports whether programs use a package at run time. Test suites and tools for tests are
// not shipped.
func shipped(path string) bool {
	return path != "storagetest" && path != "storagetest/hostile" && path != "storagetest/differential" &&
		path != "storagetest/vendedtest" && path != "storagetest/interleave" &&
		path != "uploads/uploadstest" &&
		path != "cmd/certify" &&
		!forTests(path)
}

// forTests reports whether a package is below a folder internal/testing.
func forTests(path string) bool { return strings.Contains("/"+path+"/", "/internal/testing/") }

// check returns a message for each import that breaks a rule.
func check(packages []pkg) []string {
	var broken []string
	for _, p := range packages {
		importer := inModule(p.ImportPath)
		if forTests(importer) {
			continue // only tests import it
		}
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

// inModule returns the path of a package relative to this module, and "." for the root package. It
// returns the path of a package in another module unchanged.
func inModule(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

// external reports whether a path belongs to another module. The first element of such a path is a
// host, which contains a dot.
func external(path string) bool {
	host, _, _ := strings.Cut(path, "/")
	return strings.Contains(host, ".") && path != "."
}

// within reports whether path is equal to one of roots, or is below one of them.
func within(path string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return path == root || strings.HasPrefix(path, root+"/")
	})
}

// beside reports whether a package belongs to another module of this repository, and is for use in
// programs.
func beside(path string) bool {
	return within(path, "adapters", "layers/encrypt", "plugins") && !within(path, "adapters/internal")
}

// provider returns the first two elements of a path, such as "providers/s3" for "providers/s3/profiles".
func provider(path string) string {
	elements := strings.SplitN(path, "/", 3)
	return strings.Join(elements[:min(2, len(elements))], "/")
}
