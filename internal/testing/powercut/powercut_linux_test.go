package powercut

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/transfer"
)

// requiredVariable, if set, makes the test fail if this machine cannot run it.
const requiredVariable = "OMNIBUCKET_POWERCUT"

// cannot skips the test with a reason, or fails it if it is required.
func cannot(t *testing.T, format string, arguments ...any) {
	t.Helper()
	reason := fmt.Sprintf("this machine cannot cut the power of a disk: "+format, arguments...)
	if os.Getenv(requiredVariable) != "" {
		require.Fail(t, reason)
	}
	t.Skip(reason)
}

// requireLoop skips the test if no image can be mounted.
func requireLoop(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		cannot(t, "only root may mount")
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		cannot(t, "there are no loop devices: %v", err)
	}
}

// A disk is a file system in an image that is mounted at path.
type disk struct {
	path, image string
	options     string // for mounting a copy of the image
}

// newDisk mounts a new file system that does not write by itself while the test runs. The
// image only has flushed data. Dirty pages, and uncommitted names, are only in the memory
// of the kernel.
func newDisk(t *testing.T, kind, size, options string) *disk {
	t.Helper()
	for _, tool := range []string{"mkfs." + kind, "mount", "umount", "truncate", "cp", "sync"} {
		if _, err := exec.LookPath(tool); err != nil {
			cannot(t, "%v", err)
		}
	}
	dir := t.TempDir()
	d := &disk{
		path:    filepath.Join(dir, "disk"),
		image:   filepath.Join(dir, "image"),
		options: "loop" + options,
	}
	require.NoError(t, os.Mkdir(d.path, 0o777))
	run(t, "truncate", "-s", size, d.image)
	run(t, "mkfs."+kind, "-q", d.image)
	output, err := exec.Command("mount", "-t", kind, "-o", d.options, d.image, d.path).CombinedOutput()
	if err != nil {
		cannot(t, "mount: %s", output)
	}
	t.Cleanup(func() { run(t, "umount", d.path) })
	return d
}

// flush writes everything to the disk, before a step.
func (d *disk) flush(t *testing.T) { run(t, "sync", "-f", d.path) }

// cut returns a directory with the contents that this disk would have if the power failed now.
func (d *disk) cut(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	image := filepath.Join(dir, "image")
	path := filepath.Join(dir, "disk")
	run(t, "cp", "--sparse=always", d.image, image)
	require.NoError(t, os.Mkdir(path, 0o777))
	run(t, "mount", "-o", d.options, image, path)
	t.Cleanup(func() { run(t, "umount", path) })
	return path
}

// run runs a program that must succeed.
func run(t *testing.T, name string, arguments ...string) {
	t.Helper()
	output, err := exec.Command(name, arguments...).CombinedOutput()
	require.NoError(t, err, "%s %s: %s", name, strings.Join(arguments, " "), output)
}

// content is so large that no file system stores a part of it in the directory entry.
var content = bytes.Repeat([]byte("0123456789abcdef"), 20_000)

// A step is one call whose effect must survive a power cut. Its functions get the directory of a disk.
type step struct {
	name string
	// before prepares the disk. Its data is flushed.
	before func(t *testing.T, root string)
	// do makes the call.
	do func(t *testing.T, root string)
	// holds checks a disk as it is after a power cut.
	holds func(t *testing.T, root string)
}

// source returns a bucket with two objects.
func source(t *testing.T) storage.Bucket {
	b := memstore.New()
	for _, key := range []string{"one", "deep/er/two"} {
		_, err := b.Upload(t.Context(), key, bytes.NewReader(content))
		require.NoError(t, err)
	}
	return b
}

// bucket opens the bucket on a disk.
func bucket(t *testing.T, root string, c local.Config) storage.Bucket {
	c.Create = true
	b, err := local.Open(filepath.Join(root, "made", "bucket"), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return b
}

// service opens the account on a disk.
func service(t *testing.T, root string) storage.Service {
	s, err := local.NewService(filepath.Join(root, "made", "service"), local.Config{Create: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// writeOldFile returns a step's function that writes a file with other content than content.
func writeOldFile(path ...string) func(*testing.T, string) {
	return func(t *testing.T, root string) {
		file := filepath.Join(append([]string{root}, path...)...)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o777))
		require.NoError(t, os.WriteFile(file, []byte("old"), 0o600))
	}
}

// hasFile returns a step's function that requires a file with the whole content.
func hasFile(path ...string) func(*testing.T, string) {
	return func(t *testing.T, root string) {
		got, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
		require.NoError(t, err)
		require.True(t, bytes.Equal(content, got), "%d bytes of %d", len(got), len(content))
	}
}

// putObject returns a step's function that uploads an object.
func putObject(key string, c local.Config) func(*testing.T, string) {
	return func(t *testing.T, root string) {
		b := bucket(t, root, c)
		_, err := b.Upload(t.Context(), key, bytes.NewReader(content), storage.WithContentType("text/x-kept"))
		require.NoError(t, err)
	}
}

// hasObject returns a step's function that requires an object with its content and its properties.
func hasObject(key string, c local.Config) func(*testing.T, string) {
	return func(t *testing.T, root string) {
		got, attrs, err := storage.ReadAll(t.Context(), bucket(t, root, c), key)
		require.NoError(t, err)
		require.True(t, bytes.Equal(content, got), "%d bytes of %d", len(got), len(content))
		require.Equal(t, "text/x-kept", attrs.ContentType)
	}
}

// lacksObject returns a step's function that requires that there is no such object.
func lacksObject(key string) func(*testing.T, string) {
	return func(t *testing.T, root string) {
		exists, err := bucket(t, root, local.Config{}).Exists(t.Context(), key)
		require.NoError(t, err)
		require.False(t, exists)
	}
}

// remove returns a step's function that removes an object.
func remove(key string) func(*testing.T, string) {
	return func(t *testing.T, root string) {
		require.NoError(t, bucket(t, root, local.Config{}).Remove(t.Context(), key))
	}
}

// setTags returns a step's function that sets so many tags on the object a. Nine tags are longer than the
// block that ext4 gives to them.
func setTags(n int, c local.Config) func(*testing.T, string) {
	return func(t *testing.T, root string) {
		require.NoError(t, storage.SetTags(t.Context(), bucket(t, root, c), "a", someTags(n)))
	}
}

// someTags returns so many tags, of the maximum length each.
func someTags(n int) map[string]string {
	tags := map[string]string{}
	for i := range n {
		tags[fmt.Sprintf("%0128d", i)] = strings.Repeat("v", 256)
	}
	return tags
}

// hasTags returns a step's function that requires so many tags on the object a.
func hasTags(n int) func(*testing.T, string) {
	return func(t *testing.T, root string) {
		hasObject("a", local.Config{})(t, root)
		tags, err := storage.Tags(t.Context(), bucket(t, root, local.Config{}), "a")
		require.NoError(t, err)
		require.Equal(t, someTags(n), tags)
	}
}

// download downloads an object to a file.
func download(t *testing.T, root string) {
	_, err := storage.DownloadFile(t.Context(), source(t), "one", filepath.Join(root, "one"))
	require.NoError(t, err)
}

// createBucket returns a step's function that creates a bucket.
func createBucket(public bool) func(*testing.T, string) {
	return func(t *testing.T, root string) {
		_, err := service(t, root).CreateBucket(t.Context(), "photos", storage.WithPublicAccess(public))
		require.NoError(t, err)
	}
}

// hasPublicAccess returns a step's function that requires a setting of the bucket.
func hasPublicAccess(public bool) func(*testing.T, string) {
	return func(t *testing.T, root string) {
		info, err := service(t, root).BucketInfo(t.Context(), "photos")
		require.NoError(t, err)
		require.Equal(t, public, info.Public)
	}
}

// paused starts a job and returns when the job calls pause. The job stays there until the test ends.
func paused(t *testing.T, job func(pause func())) {
	reached := make(chan struct{}) // closed when the job pauses
	ended := make(chan struct{})   // closed when the test ends
	done := make(chan struct{})    // closed when the job returns
	go func() {
		defer close(done)
		job(sync.OnceFunc(func() {
			close(reached)
			<-ended
		}))
	}()
	t.Cleanup(func() {
		close(ended)
		<-done
	})

	select {
	case <-reached:
	case <-done:
		require.Fail(t, "the job ended without a pause")
	}
}

// question begins the key of the object by which a job asks whether its ends are one place.
const question = "omnibucket-question-"

// A pausing Core calls a function before its first removal, and one before the upload of a journal that has progress.
type pausing struct {
	storage.Core
	removal, progress func()
}

// The method with returns b with the Core between the caller and the bucket.
func (p pausing) with(t *testing.T, b storage.Bucket) storage.Bucket {
	return wrapped.Bucket(t, b, func(c storage.Core) storage.Core {
		p.Core = c
		return p
	})
}

func (p pausing) RemoveAll(ctx context.Context, keys iter.Seq[string]) (int, error) {
	return wrapped.RemoveEach(ctx, p, keys)
}

// Remove calls p.removal before it removes an object.
func (p pausing) Remove(ctx context.Context, key string, o *storage.RemoveOptions) error {
	if !strings.HasPrefix(key, question) {
		p.removal()
	}
	return p.Core.Remove(ctx, key, o)
}

// Upload calls p.progress before it stores a journal of a job that has transferred bytes.
func (p pausing) Upload(
	ctx context.Context, key string, r io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	text, err := io.ReadAll(r)
	if err == nil && !strings.HasPrefix(key, question) && !bytes.Contains(text, []byte(`"transferred":0`)) {
		p.progress()
	}
	return p.Core.Upload(ctx, key, bytes.NewReader(text), o)
}

// steps returns all calls that promise to survive a power cut. The program is the command omnibucket.
func steps(program string) []step {
	command := func(arguments ...string) func(*testing.T, string) {
		return func(t *testing.T, root string) {
			c := exec.Command(program, arguments...)
			c.Dir = root
			output, err := c.CombinedOutput()
			require.NoError(t, err, "%s", output)
		}
	}
	served := filepath.Join(filepath.Dir(program), "served")
	return []step{
		{name: "DownloadFile", do: download, holds: hasFile("one")},
		{name: "DownloadFile over a file", before: writeOldFile("one"), do: download, holds: hasFile("one")},
		{
			name: "transfer.Download",
			do: func(t *testing.T, root string) {
				_, err := transfer.Download(t.Context(), source(t), filepath.Join(root, "made", "tree"))
				require.NoError(t, err)
			},
			holds: hasFile("made", "tree", "deep", "er", "two"),
		},
		{
			name:   "transfer.Download over a file",
			before: writeOldFile("made", "tree", "one"),
			do: func(t *testing.T, root string) {
				_, err := transfer.Download(t.Context(), source(t), filepath.Join(root, "made", "tree"))
				require.NoError(t, err)
			},
			holds: hasFile("made", "tree", "one"),
		},
		{
			name: "transfer.Sync removes",
			before: func(t *testing.T, root string) {
				writeOldFile("made", "tree", "deep", "spare")(t, root)
				writeOldFile("made", "tree", "deep", "er", "two")(t, root)
			},
			do: func(t *testing.T, root string) {
				_, err := transfer.Sync(t.Context(), transfer.Dir(filepath.Join(root, "made", "tree")),
					transfer.Bucket(source(t)), transfer.WithDelete())
				require.NoError(t, err)
			},
			holds: func(t *testing.T, root string) {
				require.NoFileExists(t, filepath.Join(root, "made", "tree", "deep", "spare"))
			},
		},
		{
			name: "transfer.Sync saves what it removes",
			do: func(t *testing.T, root string) {
				paused(t, func(pause func()) {
					dst := pausing{removal: pause}.with(t, source(t))
					_, _ = transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(memstore.New()),
						transfer.WithDelete(), transfer.WithEmptySource(),
						transfer.WithBackup(transfer.Dir(filepath.Join(root, "saved"))))
				})
			},
			holds: hasFile("saved", "one"),
		},
		{
			name: "a journal notes what transfer.Download did",
			do: func(t *testing.T, root string) {
				paused(t, func(pause func()) {
					b := source(t)
					_, err := b.Upload(t.Context(), "one/below",
						strings.NewReader("a file is in the way, so that the journal stays"))
					require.NoError(t, err)
					_, _ = transfer.Download(t.Context(), b, filepath.Join(root, "tree"),
						transfer.WithJournal(pausing{progress: pause}.with(t, memstore.New()), "journal"))
				})
			},
			holds: hasFile("tree", "one"),
		},
		{
			name:   "omnibucket cp",
			before: writeOldFile("one"),
			do:     command("cp", "file://"+served+"#one", "one"),
			holds:  hasFile("one"),
		},
		{
			name:  "omnibucket cp -r",
			do:    command("cp", "-r", "file://"+served, "tree"),
			holds: hasFile("tree", "deep", "er", "two"),
		},
		{
			name:  "omnibucket sync",
			do:    command("sync", "file://"+served, "tree"),
			holds: hasFile("tree", "deep", "er", "two"),
		},
		{name: "Upload", do: putObject("a/b/c", local.Config{}), holds: hasObject("a/b/c", local.Config{})},
		{
			name:   "Upload over an object",
			before: putObject("a", local.Config{}),
			do:     putObject("a", local.Config{}),
			holds:  hasObject("a", local.Config{}),
		},
		{
			name:   "Upload with the name of a directory",
			before: putObject("a/b", local.Config{}),
			do:     putObject("a", local.Config{}),
			holds:  hasObject("a", local.Config{}),
		},
		{
			name:   "Upload below an object",
			before: putObject("a", local.Config{}),
			do:     putObject("a/b", local.Config{}),
			holds:  hasObject("a", local.Config{}),
		},
		{
			name:   "Upload with a sidecar",
			before: putObject("a", local.Config{}),
			do:     putObject("a", local.Config{Sidecars: true}),
			holds: func(t *testing.T, root string) {
				hasObject("a", local.Config{})(t, root)
				sidecar, err := os.ReadFile(filepath.Join(root, "made", "bucket", ".omnibucket~a"))
				require.NoError(t, err)
				require.Contains(t, string(sidecar), "text/x-kept")
			},
		},
		{
			name:   "Upload over a private file",
			before: writeOldFile("made", "bucket", "a"),
			do:     putObject("a", local.Config{}),
			holds: func(t *testing.T, root string) {
				hasObject("a", local.Config{})(t, root)
				info, err := os.Stat(filepath.Join(root, "made", "bucket", "a"))
				require.NoError(t, err)
				require.Equal(t, os.FileMode(0o600), info.Mode())
			},
		},
		{name: "Remove", before: putObject("a", local.Config{}), do: remove("a"), holds: lacksObject("a")},
		{
			name: "Remove an object with the name of a directory",
			before: func(t *testing.T, root string) {
				putObject("a/b", local.Config{})(t, root)
				putObject("a", local.Config{})(t, root)
			},
			do:    remove("a"),
			holds: lacksObject("a"),
		},
		{name: "SetTags", before: putObject("a", local.Config{}), do: setTags(1, local.Config{}), holds: hasTags(1)},
		{
			name:   "SetTags of an object with a sidecar",
			before: putObject("a", local.Config{Sidecars: true}),
			do:     setTags(1, local.Config{Sidecars: true}),
			holds: func(t *testing.T, root string) {
				hasTags(1)(t, root)
				sidecar, err := os.ReadFile(filepath.Join(root, "made", "bucket", ".omnibucket~a"))
				require.NoError(t, err)
				require.Contains(t, string(sidecar), `"tags"`)
			},
		},
		{
			name: "SetTags that no extended attribute can hold",
			before: func(t *testing.T, root string) {
				putObject("a", local.Config{})(t, root)
				setTags(1, local.Config{})(t, root)
			},
			do:    setTags(9, local.Config{}),
			holds: hasTags(9),
		},
		{
			name: "SetTags that an extended attribute can hold again",
			before: func(t *testing.T, root string) {
				putObject("a", local.Config{})(t, root)
				setTags(9, local.Config{})(t, root)
			},
			do:    setTags(1, local.Config{}),
			holds: hasTags(1),
		},
		{
			name:   "WithObjectLock and SetLegalHold",
			before: putObject("a", local.Config{NoSync: true}),
			do: func(t *testing.T, root string) {
				b, err := local.Open(filepath.Join(root, "made", "bucket"), local.Config{},
					storage.WithObjectLock())
				require.NoError(t, err)
				require.NoError(t, storage.SetLegalHold(t.Context(), b, "a", true))
				require.NoError(t, storage.Close(b))
			},
			holds: func(t *testing.T, root string) {
				b := bucket(t, root, local.Config{})
				attrs, err := b.Attrs(t.Context(), "a")
				require.NoError(t, err)
				require.ErrorIs(t, b.Remove(t.Context(), "a", storage.WithVersion(attrs.Version)),
					storage.Locked)
			},
		},
		{
			name: "AbortUpload",
			do: func(t *testing.T, root string) {
				d, err := local.NewDriver(filepath.Join(root, "made", "bucket"), local.Config{Create: true})
				require.NoError(t, err)
				upload, err := d.BeginParts(t.Context(), &driver.PutRequest{Key: "k"})
				require.NoError(t, err)
				run(t, "sync", "-f", root)
				require.NoError(t, d.AbortParts(t.Context(), "k", upload))
				require.NoError(t, d.Close())
			},
			holds: func(t *testing.T, root string) {
				entries, err := os.ReadDir(filepath.Join(root, "made", "bucket", ".omnibucket", "uploads"))
				require.NoError(t, err)
				require.Empty(t, entries)
			},
		},
		{name: "CreateBucket", do: createBucket(true), holds: hasPublicAccess(true)},
		{
			name:   "UpdateBucket",
			before: createBucket(true),
			do: func(t *testing.T, root string) {
				s := service(t, root)
				_, err := s.UpdateBucket(t.Context(), "photos", storage.WithPublicAccess(false))
				require.NoError(t, err)
			},
			holds: hasPublicAccess(false),
		},
		{
			name:   "DeleteBucket",
			before: createBucket(true),
			do: func(t *testing.T, root string) {
				require.NoError(t, service(t, root).DeleteBucket(t.Context(), "photos"))
			},
			holds: func(t *testing.T, root string) {
				_, err := service(t, root).BucketInfo(t.Context(), "photos")
				require.ErrorIs(t, err, storage.BucketNotFound)
			},
		},
	}
}

// buildProgram builds the command, and fills the bucket that it reads.
func buildProgram(t *testing.T) string {
	program := filepath.Join(t.TempDir(), "omnibucket")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = filepath.Join("..", "..", "..", "cmd", "omnibucket")
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
	b, err := local.Open(filepath.Join(filepath.Dir(program), "served"), local.Config{Create: true})
	require.NoError(t, err)
	_, err = transfer.Sync(context.Background(), transfer.Bucket(b), transfer.Bucket(source(t)))
	require.NoError(t, err)
	require.NoError(t, storage.Close(b))
	return program
}

// The effect of a call survives a power cut once the call has returned. The test copies the image
// of the disk at that moment, and checks the copy.
func TestPowerCut(t *testing.T) {
	if os.Getenv(requiredVariable) == "" {
		testserver.Further(t) // it builds the command
	}
	requireLoop(t)
	program := buildProgram(t)
	tests := []struct {
		kind    string // of the file system
		size    string // of its image
		options string // for mounting a copy of the image
	}{
		{kind: "ext4", size: "64M", options: ",commit=300"},
		{kind: "xfs", size: "300M", options: ",nouuid"},
	}
	for _, tt := range tests {
		t.Run(tt.kind, func(t *testing.T) {
			d := newDisk(t, tt.kind, tt.size, tt.options)
			for _, step := range steps(program) {
				t.Run(step.name, func(t *testing.T) {
					// Prepare the disk. The test flushes only what is there before the call.
					empty(t, d.path)
					if step.before != nil {
						step.before(t, d.path)
					}
					d.flush(t)

					// Make the call, cut the power, and check what the disk has then.
					step.do(t, d.path)
					afterCut := d.cut(t)
					step.holds(t, afterCut)
				})
			}
		})
	}
}

// empty removes all files of a disk.
func empty(t *testing.T, root string) {
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	for _, e := range entries {
		if e.Name() != "lost+found" {
			require.NoError(t, os.RemoveAll(filepath.Join(root, e.Name())))
		}
	}
}
