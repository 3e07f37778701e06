package storagetest

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

var fsCases = []Case{
	{
		Name:        "a bucket is a file system",
		Rule:        "V-FS",
		Explanation: "FS passes testing/fstest.TestFS",
		run: func(t *T) {
			b := t.open()
			files := []string{"a.txt", "dir/b.txt", "dir/sub/c.txt", "dir/sub/deep/er/d.txt", "e\u00e9/f g.txt"}
			t.puts(b, files...)
			require.NoError(t, fstest.TestFS(storage.FS(t.Context(), b), files...))
		},
	},
	{
		Name:        "an empty bucket is a file system",
		Rule:        "V-FS",
		Explanation: "its root exists and is empty",
		run: func(t *T) {
			require.NoError(t, fstest.TestFS(storage.FS(t.Context(), t.open())))
		},
	},
	{
		Name:        "files of a file system have their attributes",
		Rule:        "V-FS",
		Explanation: "a file has the size and time of its object; a missing one is fs.ErrNotExist, and a bad name is fs.ErrInvalid",
		run: func(t *T) {
			b := t.open()
			t.put(b, "dir/a", "12345")
			files := storage.FS(t.Context(), b)
			info, err := fs.Stat(files, "dir/a")
			require.NoError(t, err)
			require.Equal(t, "a", info.Name())
			require.Equal(t, int64(5), info.Size())
			require.False(t, info.IsDir())
			require.True(t, t.attrs(b, "dir/a").Modified.Equal(info.ModTime()))
			info, err = fs.Stat(files, "dir")
			require.NoError(t, err)
			require.True(t, info.IsDir())
			data, err := fs.ReadFile(files, "dir/a")
			require.NoError(t, err)
			require.Equal(t, "12345", string(data))
			for name, sentinel := range map[string]error{"missing": fs.ErrNotExist, "dir/missing": fs.ErrNotExist, "di": fs.ErrNotExist, "/dir": fs.ErrInvalid, "../x": fs.ErrInvalid, "dir/": fs.ErrInvalid} {
				_, err := files.Open(name)
				require.ErrorIs(t, err, sentinel, name)
				var path *fs.PathError
				require.True(t, errors.As(err, &path), "%s: %v", name, err)
				_, err = fs.Stat(files, name)
				require.ErrorIs(t, err, sentinel, name)
			}
			sub, err := fs.Sub(files, "dir")
			require.NoError(t, err)
			data, err = fs.ReadFile(sub, "a")
			require.NoError(t, err)
			require.Equal(t, "12345", string(data))
		},
	},
	{
		Name:        "files seek, and are served over HTTP",
		Rule:        "V-FS",
		Explanation: "http.FileServerFS serves whole files and ranges",
		run: func(t *T) {
			b := t.open()
			text := body(5000, 1)
			t.put(b, "dir/a.txt", text)
			handler := http.FileServerFS(storage.FS(t.Context(), b))
			for header, want := range map[string]string{"": text, "bytes=10-19": text[10:20], "bytes=-5": text[4995:]} {
				request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/dir/a.txt", nil)
				if header != "" {
					request.Header.Set("Range", header)
				}
				response := httptest.NewRecorder()
				handler.ServeHTTP(response, request)
				require.Less(t, response.Code, 300)
				requireSame(t, want, response.Body.String())
			}
			file, err := storage.FS(t.Context(), b).Open("dir/a.txt")
			require.NoError(t, err)
			_, err = file.(io.Seeker).Seek(-3, io.SeekEnd)
			require.NoError(t, err)
			rest, err := io.ReadAll(file)
			require.NoError(t, err)
			require.Equal(t, text[4997:], string(rest))
			p := make([]byte, 4)
			_, err = file.(io.ReaderAt).ReadAt(p, 100)
			require.NoError(t, err)
			require.Equal(t, text[100:104], string(p))
			require.NoError(t, file.Close())
		},
	},
	{
		Name:        "an object beside its folder",
		Rule:        "V-FS",
		Explanation: "if both x and x/y exist, x is a directory",
		Needs:       storage.KeysBesideFolders,
		run: func(t *T) {
			b := t.open()
			t.puts(b, "x", "x/y")
			files := storage.FS(t.Context(), b)
			entries, err := fs.ReadDir(files, ".")
			require.NoError(t, err)
			require.Len(t, entries, 1)
			require.True(t, entries[0].IsDir())
			info, err := fs.Stat(files, "x")
			require.NoError(t, err)
			require.True(t, info.IsDir())
			data, err := fs.ReadFile(files, "x/y")
			require.NoError(t, err)
			require.Equal(t, "x/y", string(data))
		},
	},
	{
		Name:        "a file system with the longest key",
		Rule:        "V-FS",
		Explanation: "a key of 1,024 bytes is a file like any other, and a name that no key can have is missing: 404, not 500",
		run: func(t *T) {
			b := t.open()
			folder := strings.Repeat("abcdefg", 7)
			folders := strings.Repeat(folder+"/", 20)
			for path, view := range map[string]storage.Bucket{
				"":   b,
				"p/": storage.Prefixed(b, "p/"),
				"q/": storage.Prefixed(t.wrapped(b), "q/"),
			} {
				longest := folders + strings.Repeat("k", 1024-len(path+folders))
				t.put(view, longest, "x")
				files := storage.FS(t.Context(), view)
				data, err := fs.ReadFile(files, longest)
				require.NoError(t, err, path)
				require.Equal(t, "x", string(data), path)
				require.Contains(t, t.files(view), longest, path)
				stats := t.countRequests(func() {
					info, err := fs.Stat(files, folder)
					require.NoError(t, err, path)
					require.True(t, info.IsDir(), path)
				})
				require.LessOrEqual(t, stats, 2, "%s: requests for a directory, however deep its files are:\n%v", path,
					t.faults)
				_, err = fs.ReadDir(files, longest)
				require.Error(t, err, path)
				require.NotErrorIs(t, err, fs.ErrNotExist, "%s: this is a file and no directory", path)
				for _, name := range []string{longest[:len(longest)-1] + "z", longest + "k", longest + "/k", strings.Repeat("y", 2000)} {
					_, err = files.Open(name)
					require.ErrorIs(t, err, fs.ErrNotExist, "%s, %d bytes", path, len(name))
					_, err = fs.Stat(files, name)
					require.ErrorIs(t, err, fs.ErrNotExist, "%s, %d bytes", path, len(name))
					_, err = fs.ReadFile(files, name)
					require.ErrorIs(t, err, fs.ErrNotExist, "%s, %d bytes", path, len(name))
					_, err = fs.ReadDir(files, name)
					require.ErrorIs(t, err, fs.ErrNotExist, "%s, %d bytes", path, len(name))
					response := httptest.NewRecorder()
					http.FileServerFS(files).ServeHTTP(response,
						httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+name, nil))
					require.Equal(t, http.StatusNotFound, response.Code, "%s, %d bytes", path, len(name))
				}
			}
		},
	},
}

// files returns the paths of all files that fs.WalkDir finds in the bucket.
func (t *T) files(b storage.ReadWriter) []string {
	t.Helper()
	files := []string{}
	collect := func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !entry.IsDir() {
			files = append(files, name)
		}
		return nil
	}
	require.NoError(t, fs.WalkDir(storage.FS(t.Context(), b), ".", collect))
	return files
}
