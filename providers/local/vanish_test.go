package local

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A cleaner is a body whose last Read does what a program does that removes
// temporary files.
type cleaner struct {
	t      *testing.T
	remove []string // patterns
}

func (c *cleaner) Read([]byte) (int, error) {
	for _, pattern := range c.remove {
		found, err := filepath.Glob(filepath.FromSlash(pattern))
		require.NoError(c.t, err)
		for _, path := range found {
			if m, err := os.Stat(path); err == nil && !m.IsDir() {
				require.NoError(c.t, os.Remove(path))
			}
		}
	}
	return 0, io.EOF
}

// cleaned is a request whose temporary file vanishes while its body is read.
func (s *subject) cleaned(t *testing.T, key string) *storage.PutRequest {
	r := request(key, "")
	r.Body = io.MultiReader(strings.NewReader("new"), &cleaner{t, []string{filepath.Join(s.root, tmpPath, "*", "*")}})
	return r
}

// soon is a context that ends before the test does.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestAWriteWhoseTemporaryFileVanishesFailsAtOnce(t *testing.T) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			s := open(t, disk.tweaks...)
			before := s.put("there", "old")
			for _, row := range []struct {
				name, key string
				condition storage.Condition
			}{
				{"new object", "new", storage.Condition{}},
				{"in a new directory", "a/b/c", storage.Condition{}},
				{"below an object", "there/below", storage.Condition{}},
				{"over an object", "there", storage.Condition{}},
				{"if absent", "new", storage.Condition{Absent: true}},
				{"if unchanged", "there", storage.Condition{Revision: before.Revision}},
			} {
				t.Run(row.name, func(t *testing.T) {
					r := s.cleaned(t, row.key)
					r.Condition = row.condition
					_, err := s.Put(soon(t), r)
					require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
					require.ErrorContains(t, err, "temporary file of this write vanished")
				})
			}
			require.Equal(t, []string{"there"}, s.all())
			require.Equal(t, "old", s.get("there"))
			require.Equal(t, before, s.head("there"))
			s.put("there/below", "fine")
			require.Equal(t, "fine", s.get("there/below"))
		})
	}
}

func TestAVersionedWriteWhoseTemporaryFileVanishesFailsAtOnce(t *testing.T) {
	s := open(t, withVersions, withFrozenClock)
	s.put("k", "old")
	ahead := time.Unix(1_900_000_000, 0) // so that the new version's time has to be set again
	require.NoError(t, os.Chtimes(filepath.Join(s.root, "k"), ahead, ahead))
	_, err := s.Put(soon(t), s.cleaned(t, "k"))
	require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "temporary file of this write vanished")
	require.Equal(t, "old", s.get("k"))
}

// unseekable is a part's body that is read once.
type unseekable struct{ io.Reader }

func (unseekable) Seek(int64, int) (int64, error) { return 0, errors.ErrUnsupported }

func TestAPartWhoseTemporaryFileVanishesFailsAtOnce(t *testing.T) {
	s := open(t)
	upload, err := s.BeginParts(t.Context(), request("k", ""))
	require.NoError(t, err)
	_, err = s.PutPart(soon(t), &storage.PartRequest{Key: "k", Upload: upload, Number: 1, Body: unseekable{s.cleaned(t, "k").Body}})
	require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "temporary file of this write vanished")
	_, err = s.PutPart(soon(t), &storage.PartRequest{Key: "k", Upload: upload, Number: 1, Body: strings.NewReader("part")})
	require.NoError(t, err)
}

// An aborting body aborts an upload while a part of it is sent.
type aborting struct {
	s      *subject
	upload string
}

func (a *aborting) Read([]byte) (int, error) {
	if err := a.s.AbortParts(context.Background(), "k", a.upload); err != nil {
		return 0, err
	}
	return 0, io.EOF
}

func TestAPartOfAnUploadThatIsAbortedMeanwhileIsRefused(t *testing.T) {
	wineCannot(t, lockedStays)
	s := open(t)
	upload, err := s.BeginParts(t.Context(), request("k", ""))
	require.NoError(t, err)
	_, err = s.PutPart(soon(t), &storage.PartRequest{Key: "k", Upload: upload, Number: 1, Body: unseekable{&aborting{s, upload}}})
	require.ErrorIs(t, err, errUpload)
}

func TestACallStartsOverABoundedNumberOfTimes(t *testing.T) {
	for _, row := range []struct {
		name   string
		tweaks []tweak
		at     func(s *subject) string     // the directory before whose opening meddle runs
		meddle func(s *subject, at string) // what somebody else does
		call   func(s *subject) error
	}{
		{
			"a directory is removed whenever it was made", nil,
			func(*subject) string { return "a" },
			func(s *subject, at string) { _ = os.Remove(filepath.Join(s.root, at)) },
			func(s *subject) error { return second(s.Put(soon(s.t.(*testing.T)), request("a/b", "x"))) },
		},
		{
			"the directory of older versions is removed whenever it was made", []tweak{withVersions},
			func(s *subject) string { return s.live.versionsDir("k") },
			func(s *subject, at string) { _ = os.Remove(filepath.Join(s.root, at)) },
			func(s *subject) error { return second(s.Put(soon(s.t.(*testing.T)), request("k", "x"))) },
		},
		{
			"a foreign object is replaced whenever it is opened", nil,
			func(*subject) string { return "" },
			func(s *subject, _ string) {
				wineCannot(s.t, openStays)
				s.write("foreign.new", time.Now().String())
				_ = os.Rename(filepath.Join(s.root, "foreign.new"), filepath.Join(s.root, "foreign"))
			},
			func(s *subject) error {
				_, err := s.Head(soon(s.t.(*testing.T)), &storage.GetRequest{Key: "foreign", Length: -1})
				return err
			},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(t, row.tweaks...)
			s.put("k", "old")
			at := row.at(s)
			calls := 0
			s.opened = func(path string) {
				if path == at {
					calls++
					row.meddle(s, at)
				}
			}
			err := row.call(s)
			require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
			require.Greater(t, calls, 10, "it is tried again")
			s.opened = nil
			require.NoError(t, row.call(s))
		})
	}
}

// TestAVisibleSidecarsDirectoryIsMadeAgain: the object is in its place by then, and
// must not be placed a second time.
func TestAVisibleSidecarsDirectoryIsMadeAgain(t *testing.T) {
	for _, row := range []struct {
		name  string
		times int
		want  storage.Code
	}{
		{"removed once", 1, ""},
		{"removed whenever it is opened", 1 << 20, storage.Unavailable},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(t, withSidecars)
			key := strings.Repeat("n", 250)
			l, ok := s.live.names().locate(key)
			require.True(t, ok)
			require.NotEqual(t, l.dir, l.altDir)
			calls := 0
			s.opened = func(path string) {
				if path == l.altDir && calls < row.times && os.Remove(filepath.Join(s.root, path)) == nil {
					calls++
				}
			}
			r := request(key, "x")
			r.Condition = storage.Condition{Absent: true}
			_, err := s.Put(soon(t), r)
			require.Equal(t, row.want, storage.CodeOf(err), "%v", err)
			var e *storage.Error
			if errors.As(err, &e) {
				require.True(t, e.Unknown, "the object is there")
			}
			require.Positive(t, calls)
			s.opened = nil
			require.Equal(t, "x", s.get(key))
		})
	}
}

// TestWritingWithoutTheDirectoryOfTemporaryFiles: tools that copy files only, and
// those that remove empty directories, leave a bucket without it.
func TestWritingWithoutTheDirectoryOfTemporaryFiles(t *testing.T) {
	for _, row := range []struct {
		name string
		open bool
	}{{"a copy that is opened", false}, {"while the bucket is open", true}} {
		t.Run(row.name, func(t *testing.T) {
			if row.open {
				windowsCannot(t, openDirStays)
			}
			s := open(t)
			s.put("k", "old")
			if !row.open {
				require.NoError(t, s.Close())
			}
			require.NoError(t, os.RemoveAll(filepath.Join(s.root, tmpPath)))
			if !row.open {
				s = reopen(t, s.root)
			}
			s.put("k", "new")
			require.Equal(t, "new", s.get("k"))
		})
	}
}

// TestAPowerFailureTookTheFormat: with Config.NoSync a file that was new may be empty,
// or hold zeros, after it. The objects of the bucket are there all the same.
func TestAPowerFailureTookTheFormat(t *testing.T) {
	for _, row := range []struct{ name, left string }{{"empty", ""}, {"zeros", "\x00\x00\x00"}} {
		t.Run(row.name, func(t *testing.T) {
			s := open(t)
			s.put("k", "old")
			path := filepath.Join(s.root, formatPath)
			was, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, []byte(row.left), 0o666))
			s = reopen(t, s.root)
			require.Equal(t, "old", s.get("k"))
			s.put("k", "new")
			now, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(was), string(now))
		})
	}
}

// TestAFileWithTwoNamesKeepsItsSidecar: the attributes of a file without extended
// ones are those of all its names.
func TestAFileWithTwoNamesKeepsItsSidecar(t *testing.T) {
	windowsCannot(t, "how many names a file has is not known here")
	for _, row := range []struct {
		name   string
		change func(s *subject)
	}{
		{"a removal", func(s *subject) { s.remove("one") }},
		{"an overwrite", func(s *subject) { s.put("one", "new") }},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(t, withoutXattrs)
			_, err := s.Put(t.Context(), described("one", "content"))
			require.NoError(t, err)
			require.NoError(t, os.Link(filepath.Join(s.root, "one"), filepath.Join(s.root, "two")))
			row.change(s)
			require.Equal(t, described("two", "").Properties, s.head("two").Properties)
		})
	}
}
