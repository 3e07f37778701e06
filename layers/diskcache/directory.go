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

// The blocks are in their own folder inside the cache's directory. A mark file identifies this
// folder. Scans remove files only from this folder, because other files in the directory may have
// similar names.
const (
	blocksFolder = "omnibucket-blocks"
	markName     = "CACHEDIR.TAG" // backup programs recognize a cache by this file: https://bford.info/cachedir/
	mark         = "Signature: 8a477f597d28d172789f06886806bc55\n" +
		"# This folder has blocks of objects. Package diskcache of omnibucket removes them.\n"
)

// openDir opens the folder of the blocks in dir, and creates both if they do not exist.
func openDir(dir string) (*os.Root, error) {
	if err := os.MkdirAll(filepath.Clean(dir), 0o700); err != nil {
		return nil, dirError(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, dirError(err)
	}
	defer root.Close()

	if err := checkOwner(root); err != nil {
		return nil, err
	}
	err = root.Mkdir(blocksFolder, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, dirError(err)
	}

	blocks, err := root.OpenRoot(blocksFolder)
	if err != nil {
		return nil, dirError(err)
	}
	if err := putMark(blocks); err != nil {
		_ = blocks.Close()
		return nil, err
	}
	removeFormer(root)
	return blocks, nil
}

// checkOwner fails if other users can write to the directory, because the cache would trust their blocks.
func checkOwner(dir *os.Root) error {
	info, err := dir.Stat(".")
	if err != nil {
		return dirError(err)
	}
	// On Windows, the mode does not tell who may write.
	isWritableForOthers := runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0
	if isWritableForOthers || isForeign(info) {
		return invalid("dir must belong to the user of this process, and must not be writable for others", "")
	}
	return nil
}

// dirError returns the error for a directory that cannot be used.
func dirError(err error) error {
	return &storage.Error{Code: storage.Internal, Op: "diskcache.Open", Err: err}
}

// putMark creates the mark file in the folder of the blocks, unless it exists. It refuses a folder with
// other files but no mark, which belongs to another program.
func putMark(blocks *os.Root) error {
	entries, err := fs.ReadDir(blocks.FS(), ".")
	if err != nil {
		return dirError(err)
	}

	data, err := blocks.ReadFile(markName)
	hasMark := err == nil && string(data) == mark
	if hasMark {
		return nil
	}

	// A process that was killed before it renamed the mark has left a temporary file.
	isForeign := func(e fs.DirEntry) bool { return !strings.HasPrefix(e.Name(), tempPrefix) }
	if slices.ContainsFunc(entries, isForeign) {
		return invalid("dir must not have a folder "+blocksFolder+" without the file "+markName+" of a cache",
			"remove the folder if it is that of a cache, or name another directory")
	}

	// The rename ensures that no process finds half a mark.
	temp := tempPrefix + rand.Text()
	err = blocks.WriteFile(temp, []byte(mark), 0o600)
	if err == nil {
		err = blocks.Rename(temp, markName)
	}
	if err != nil {
		_ = blocks.Remove(temp)
		return dirError(err)
	}
	return nil
}

// maxForeign limits the number of foreign files that removeFormer reads. A foreign file has the
// name of a block, but other content. It belongs to another program, which may have a million such
// files.
const maxForeign = 8

// removeFormer removes the blocks of former releases, which were in the directory itself and not in a
// folder of their own. It stops in a directory with many foreign files.
func removeFormer(root *os.Root) {
	foreign := 0
	// An error is ignored, because the blocks of a directory that cannot be read cannot be removed.
	dirs, _ := fs.ReadDir(root.FS(), ".")
	for _, dir := range dirs {
		if !isBlockFolder(dir) {
			continue
		}
		foreign += removeFormerIn(root, dir.Name(), maxForeign-foreign)
		if foreign > maxForeign {
			return
		}
	}
}

// removeFormerIn removes the blocks of former releases from a folder, and then the folder if it is
// empty. It returns how many files of other programs it has read, and stops after more than limit.
func removeFormerIn(root *os.Root, folder string, limit int) int {
	foreign := 0
	removed := false
	files, _ := fs.ReadDir(root.FS(), folder)
	for _, file := range files {
		// The name of a block begins with the name of its folder.
		if !isBlock(file.Name()) || !file.Type().IsRegular() || !strings.HasPrefix(file.Name(), folder) {
			continue
		}
		name := path.Join(folder, file.Name())
		if isFormer(root, name) {
			if err := root.Remove(name); err == nil {
				removed = true
			}
			continue
		}

		// The name is that of a block, but the contents are not.
		foreign++
		if foreign > limit {
			return foreign
		}
	}

	if removed {
		// Remove fails if the folder is not empty.
		_ = root.Remove(folder)
	}
	return foreign
}

// isFormer reports whether a file is a block of a former release, whose first bytes are the checksum of
// the others.
func isFormer(root *os.Root, name string) bool {
	info, err := root.Stat(name)
	if err != nil || info.Size() <= headerBytes || info.Size() > headerBytes+maxBlockBytes {
		return false
	}
	data, err := root.ReadFile(name)
	if err != nil || len(data) <= headerBytes {
		return false
	}
	return binary.BigEndian.Uint32(data) == crc32c.Sum(data[headerBytes:])
}

// isBlockFolder reports whether an entry may be a folder of blocks, whose name is the first byte of a hash.
func isBlockFolder(entry fs.DirEntry) bool { return entry.IsDir() && len(entry.Name()) == 2 }

// isBlock reports whether name has the form of a block's file name.
func isBlock(name string) bool { return len(name) == nameLength && isHex(name) }

// isHex reports whether name consists of pairs of hexadecimal digits.
func isHex(name string) bool {
	_, err := hex.DecodeString(name)
	return err == nil
}
