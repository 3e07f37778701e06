package diskcache

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
)

// The blocks are in a folder of their own, which has a mark. Files are removed only from there, whatever their
// names are: other programs may have files with the same names in the directory.
const (
	blocksFolder = "omnibucket-blocks"
	markName     = "CACHEDIR.TAG" // programs that make backups know a cache by it: https://bford.info/cachedir/
	mark         = "Signature: 8a477f597d28d172789f06886806bc55\n" +
		"# This folder has blocks of objects. Package diskcache of omnibucket removes them.\n"
)

// openDir opens the folder of the blocks in dir.
func openDir(dir string) (*os.Root, error) {
	if err := os.MkdirAll(filepath.Clean(dir), 0o700); err != nil {
		return nil, unusable(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, unusable(err)
	}
	defer func() { _ = root.Close() }()
	info, err := root.Stat(".")
	switch {
	case err != nil:
		return nil, unusable(err)
	// Otherwise a block that another user has written would be believed.
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0, isForeign(info):
		return nil, invalid("dir must belong to the user of this process, and must not be writable for others", "")
	}
	if err = root.Mkdir(blocksFolder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, unusable(err)
	}
	blocks, err := root.OpenRoot(blocksFolder)
	if err != nil {
		return nil, unusable(err)
	}
	if err = putMark(blocks); err != nil {
		_ = blocks.Close()
		return nil, err
	}
	removeFormer(root)
	return blocks, nil
}

func unusable(err error) error {
	return &storage.Error{Code: storage.Internal, Op: "diskcache.Open", Err: err}
}

// putMark puts the mark into the folder, unless it is there. The folder of another program has none, and is refused.
func putMark(blocks *os.Root) error {
	entries, err := fs.ReadDir(blocks.FS(), ".")
	if err != nil {
		return unusable(err)
	}
	others := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !strings.HasPrefix(e.Name(), tempPrefix) })
	if found, err := blocks.ReadFile(markName); err == nil && string(found) == mark {
		return nil
	}
	if others {
		return invalid("dir must not have a folder "+blocksFolder+" without the file "+markName+" of a cache",
			"remove the folder if it is that of a cache, or name another directory")
	}
	temp := tempPrefix + rand.Text()
	err = blocks.WriteFile(temp, []byte(mark), 0o600)
	if err == nil {
		err = blocks.Rename(temp, markName)
	}
	if err != nil {
		_ = blocks.Remove(temp)
		return unusable(err)
	}
	return nil
}

// maxForeign is how many files with the names of former blocks may have other contents. If there are more, the
// files are those of another program, which may have a million of them.
const maxForeign = 8

// removeFormer removes the blocks of former releases, which are in the directory itself. Such a file begins with the
// checksum of the rest.
func removeFormer(root *os.Root) {
	foreign := 0
	dirs, _ := fs.ReadDir(root.FS(), ".")
	for _, dir := range dirs {
		if !dir.IsDir() || len(dir.Name()) != 2 {
			continue
		}
		files, _ := fs.ReadDir(root.FS(), dir.Name())
		removed := false
		for _, file := range files {
			if !isBlock(file.Name()) || !file.Type().IsRegular() || !strings.HasPrefix(file.Name(), dir.Name()) {
				continue
			}
			if name := path.Join(dir.Name(), file.Name()); isFormer(root, name) {
				removed = root.Remove(name) == nil || removed
			} else if foreign++; foreign > maxForeign {
				return
			}
		}
		if removed {
			_ = root.Remove(dir.Name()) // if it is empty
		}
	}
}

func isFormer(root *os.Root, name string) bool {
	info, err := root.Stat(name)
	if err != nil || info.Size() <= headerBytes || info.Size() > headerBytes+maxBlockBytes {
		return false
	}
	data, err := root.ReadFile(name)
	return err == nil && len(data) > headerBytes && binary.BigEndian.Uint32(data) == crc32c.Sum(data[headerBytes:])
}

// isBlock reports whether a file in the folder of the blocks has the name of one.
func isBlock(name string) bool { return len(name) == nameLength && isHex(name) }

func isHex(name string) bool {
	_, err := hex.DecodeString(name)
	return err == nil
}
