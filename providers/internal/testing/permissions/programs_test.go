//go:build omnibucket_sdks

package permissions_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/permissions"
	rows "github.com/omnibucket/storage/providers/internal/testing/permissions"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

const driverS3 = "github.com/omnibucket/storage/providers/s3"

// whyUnseen has operations whose permissions a program may need, although no run of the program shows that. The values
// are the reasons why no run shows it.
var whyUnseen = map[string]string{
	"upload-parts-failed": "a path of errors: an upload in parts fails",
	"download-missing":    "a path of errors: an object is missing",
	"copy-tagged":         "the objects of the run have no tags",
	"tags":                "the objects of the run have no tags",
	"upload-with-tags":    "the objects of the run have no tags",
	"abort-upload":        "no upload of an earlier run was given up",
	"remove-all":          "the log of the run is too short to be trimmed",
}

// A programRun runs a program on our S3 server.
type programRun struct {
	folder  string
	module  string // "" is the root module
	args    func(t *testing.T, address func(bucket string) string) []string
	buckets []string // those that exist before
	keys    []string // objects in the first of them
	// unseen has the operations that this run does not show. whyUnseen has the reasons.
	unseen []string
	// optional has the permissions that requests of the run ask for, but that the program can do
	// without.
	optional []string
	drive    func(t *testing.T, run *exec.Cmd) // makes requests of a program that serves, and ends it
}

// onBucket passes the address of the bucket photos by a flag, after other flags.
func onBucket(flags ...string) func(*testing.T, func(string) string) []string {
	return func(_ *testing.T, address func(string) string) []string {
		return append(slices.Clone(flags), "-bucket", address("photos"))
	}
}

var programRuns = []programRun{
	{
		folder:  "examples/readme/hello",
		buckets: []string{"photos"},
		unseen:  []string{"download-missing", "upload-parts-failed"},
		args:    func(_ *testing.T, address func(string) string) []string { return []string{address("photos")} },
	},
	{
		folder:  "examples/quickstart",
		buckets: []string{"photos"},
		args:    onBucket(),
		unseen:  []string{"upload-parts-failed"},
	},
	{
		folder:  "examples/table",
		buckets: []string{"photos"},
		args:    onBucket(),
		unseen:  []string{"remove-all", "upload-parts-failed"},
	},
	{
		folder:  "examples/zip",
		buckets: []string{"photos"},
		args:    onBucket("-files", "20"),
		unseen:  []string{"download-missing", "upload-parts-failed"},
	},
	{
		folder:  "examples/telemetry",
		buckets: []string{"photos"},
		args:    onBucket(),
		unseen:  []string{"upload-parts-failed"},
	},
	{folder: "examples/invoices", args: onBucket("-create"), unseen: []string{"upload-parts-failed"}},
	{folder: "examples/tour", args: onBucket("-create"), unseen: []string{"upload-parts-failed"}},
	{
		folder:  "examples/migrate",
		buckets: []string{"photos"},
		keys:    []string{"a.txt", "removed.txt"},
		args:    migrated,
		unseen:  []string{"abort-upload", "upload-parts-failed"},
	},
	{
		folder:  "examples/move",
		buckets: []string{"photos", "moved"},
		args: func(_ *testing.T, address func(string) string) []string {
			return []string{"-objects", "20", "-rest", "10ms", address("photos"), address("moved")}
		},
		unseen:   []string{"copy-tagged", "tags", "upload-parts-failed", "upload-with-tags"},
		optional: []string{"s3:DeleteObjectVersion"},
	},
	{
		folder:  "examples/configured",
		module:  "tools",
		buckets: []string{"photos"},
		args:    func(*testing.T, func(string) string) []string { return nil },
		drive:   servesPages,
		unseen:  []string{"upload-parts-failed"},
	},
}

// migrated creates a directory with a file, and returns the arguments of a program that moves the directory to the
// bucket "photos".
func migrated(t *testing.T, address func(string) string) []string {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.txt"), []byte("text"), 0o600))
	return []string{"-delete", "-checksum", dir, address("photos")}
}

// opened maps calls in the test programs to the names of the buckets that they open.
var opened = map[string]string{
	"storage.Open in main.hello": "photos", "storage.Open in main.run": "photos",
	"storage.OpenService in main.createBucket": "photos",
	"storage.Open in main.site.move":           "moved", "storage.Open 2 in main.site.move": "moved",
	"location pages": "photos",
}

// The analyzer names all permissions that the requests of some programs need, and no others without a reason.
func TestPermissionsAnalyzer(t *testing.T) {
	root, err := filepath.Abs("../../../..")
	require.NoError(t, err)
	dir := t.TempDir()
	build(t, filepath.Join(root, "analyzers"), dir, "./permissions")

	// The programs are in the root module, whose folder is "", and in the module tools.
	for _, module := range []string{"", "tools"} {
		var programs []*programRun
		var folders []string
		for i := range programRuns {
			p := &programRuns[i]
			if p.module != module {
				continue
			}
			programs = append(programs, p)
			folders = append(folders, "./"+p.folder)
		}

		// Build the programs, and let the analyzer name their permissions.
		build(t, filepath.Join(root, module), dir, folders...)
		named := analyze(t, filepath.Join(dir, "permissions"), filepath.Join(root, module), folders)

		// Run each program, and compare the named permissions with those of its requests.
		for _, p := range programs {
			t.Run(p.folder, func(t *testing.T) {
				p.check(t, dir, named[p.folder])
			})
		}
	}
}

// build builds programs into dir. Some examples import no driver for Amazon S3. build adds one to
// them, so that the test can run them on buckets of S3.
func build(t *testing.T, module, dir string, packages ...string) {
	t.Helper()
	driver := filepath.Join(dir, "driver.go")
	require.NoError(t, os.WriteFile(driver, []byte("package main\n\nimport _ "+strconv.Quote(driverS3)+"\n"),
		0o600))
	added := map[string]string{}
	for _, folder := range []string{"table", "telemetry"} {
		added[filepath.Join(module, "examples", folder, "added.go")] = driver
	}
	overlay, err := json.Marshal(map[string]any{"Replace": added})
	require.NoError(t, err)
	list := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(list, overlay, 0o600))
	args := append([]string{"build", "-overlay", list, "-o", dir + string(filepath.Separator)}, packages...)
	command := exec.CommandContext(t.Context(), "go", args...)
	command.Dir = module
	output, err := command.CombinedOutput()
	require.NoError(t, err, string(output))
}

// analyze returns the operations of each program on each bucket.
func analyze(t *testing.T, analyzer, module string, packages []string) map[string]map[string][]permissions.Operation {
	t.Helper()
	args := []string{"-C", module, "-json"}
	for name, bucket := range opened {
		args = append(args, "-bucket", name+"=s3://"+bucket)
	}
	command := exec.CommandContext(t.Context(), analyzer, append(args, packages...)...)
	command.Stderr = os.Stderr
	output, err := command.Output()
	require.NoError(t, err)
	var reports []struct {
		Program string
		Buckets []struct {
			Bucket     string
			Operations []struct{ Operation permissions.Operation }
		}
	}
	require.NoError(t, json.Unmarshal(output, &reports))
	said := map[string]map[string][]permissions.Operation{}
	for _, r := range reports {
		said[r.Program] = map[string][]permissions.Operation{}
		for _, b := range r.Buckets {
			bucket, ok := strings.CutPrefix(b.Bucket, "s3://")
			require.True(t, ok, "%s has %s", r.Program, b.Bucket)
			for _, o := range b.Operations {
				said[r.Program][bucket] = append(said[r.Program][bucket], o.Operation)
			}
		}
	}
	return said
}

// check runs a program. It compares the permissions that the program's requests need with those of
// the operations in said.
func (p *programRun) check(t *testing.T, dir string, said map[string][]permissions.Operation) {
	recorded := p.run(t, dir)
	var unseen []string
	for bucket, operations := range said {
		allowed := slices.Clone(p.optional)
		for _, o := range operations {
			needs, err := o.Needs(permissions.AWS)
			require.NoError(t, err)
			allowed = append(allowed, needs...)
			if slices.ContainsFunc(
				needs,
				func(action string) bool { return !slices.Contains(recorded[bucket], action) },
			) {
				require.Contains(t, whyUnseen, string(o), "%s: no request of the run needs it", o)
				unseen = append(unseen, string(o))
			}
		}
		require.Subset(t, allowed, recorded[bucket], bucket)
		delete(recorded, bucket)
	}
	require.Empty(t, recorded, "buckets of which the analyzer has said nothing")

	slices.Sort(unseen)
	require.Equal(t, p.unseen, slices.Compact(unseen))
}

// run runs the program with a server, and returns the permissions of its requests by bucket.
func (p *programRun) run(t *testing.T, dir string) map[string][]string {
	recorder := &rows.Recorder{}
	server, err := s3server.Start(s3server.Config{Strict: true, Middleware: recorder.Wrap})
	require.NoError(t, err)
	defer server.Close()
	p.makeBuckets(t, server)
	recorder.Begin()
	address := func(bucket string) string {
		return "s3://" + bucket + "?path_style=true&profile=omnibucket&region=" + s3server.DefaultRegion +
			"&endpoint=" + server.URL
	}
	command := exec.CommandContext(t.Context(), filepath.Join(dir, executable(p.folder)),
		p.args(t, address)...)
	command.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+s3server.DefaultAccessKeyID,
		"AWS_SECRET_ACCESS_KEY="+s3server.DefaultSecretKey, "OMNIBUCKET_PAGES="+address("photos"))
	if p.drive != nil {
		p.drive(t, command)
	} else {
		output, err := command.CombinedOutput()
		require.NoError(t, err, string(output))
	}
	needs, err := recorder.NeedsByBucket(permissions.AWS)
	require.NoError(t, err)
	return needs
}

// makeBuckets makes the buckets that the program does not create itself.
func (p *programRun) makeBuckets(t *testing.T, server *s3server.Server) {
	pathStyle := true
	service, err := s3.NewService(t.Context(), s3.Config{
		Region:      s3server.DefaultRegion,
		Endpoint:    server.URL,
		PathStyle:   &pathStyle,
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	})
	require.NoError(t, err)
	defer func(s storage.Service) {
		require.NoError(t, s.Close())
	}(service)
	for _, bucket := range p.buckets {
		createNamed(t, service, bucket, rows.Plain)
	}
	for _, key := range p.keys {
		b, err := service.Bucket(p.buckets[0])
		require.NoError(t, err)
		_, err = b.Upload(t.Context(), key, strings.NewReader("TEXT"))
		require.NoError(t, err)
	}
}

// servesPages stores a page in the program "configured". It reads this page, and another one that
// is missing.
func servesPages(t *testing.T, command *exec.Cmd) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := listener.Addr().String()
	require.NoError(t, listener.Close())
	command.Args = append(command.Args, addr)
	require.NoError(t, command.Start())
	defer func() {
		_, _ = command.Process.Kill(), command.Wait()
	}()

	get := func(key string) int {
		response, err := http.Get("http://" + addr + "/" + key)
		if err != nil {
			return 0
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	require.Eventually(
		t,
		func() bool { return get("missing") == http.StatusNotFound },
		time.Minute,
		time.Millisecond*20,
	)

	put, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+addr+"/page",
		strings.NewReader("text"))
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(put)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, http.StatusOK, get("page"))
}

// executable returns the name of the program that is built from a folder.
func executable(folder string) string {
	name := folder[strings.LastIndex(folder, "/")+1:]
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return name
}
