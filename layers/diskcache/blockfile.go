package diskcache

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/omnibucket/storage/internal/crc32c"
)

// A block is a part of an object, and is one file. The file has the CRC32C of the data, big-endian,
// and then the data. The name of the file is a hash of the bucket, the key, the revision and the
// block's number. Because of the hash, no key can make the cache use a file in another directory.

const (
	headerBytes = 4
	nameLength  = 2 * sha256.Size
	tempPrefix  = "tmp-"
	// touchAfter is the shortest time between two updates of a block's modification time by reads.
	// Scans remove the blocks with the oldest times.
	touchAfter = time.Minute
)

// blockName returns the path of a block in the cache's directory. The hash covers the length of each
// text, so that no two blocks have the same name.
func blockName(bucket string, o object, size, number int64) string {
	const format = "omnibucket block 1" // a new format of blocks gets new names
	hash := sha256.New()
	for _, text := range []string{format, bucket, o.key, o.revision} {
		// A hash never fails.
		_ = binary.Write(hash, binary.BigEndian, int64(len(text)))
		_, _ = io.WriteString(hash, text)
	}
	_ = binary.Write(hash, binary.BigEndian, [2]int64{size, number})

	name := hex.EncodeToString(hash.Sum(nil))
	return path.Join(name[:2], name)
}

// has reports whether there is a file for the block. The file may be damaged.
func (c *Cache) has(name string) bool {
	_, err := c.root.Stat(name)
	return err == nil
}

// read fills data with a block from the disk, and reports whether there is one of this length. It
// removes a damaged block.
func (c *Cache) read(name string, data []byte) bool {
	file, err := c.root.Open(name)
	if err != nil {
		return false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return false
	}

	hasSize := info.Size() == headerBytes+int64(len(data))
	isValid := hasSize && readBlock(file, data)
	if !isValid {
		_ = c.root.Remove(name)
		return false
	}

	if now := c.now(); now.Sub(info.ModTime()) > touchAfter {
		// Ignore the error: another process may have removed the block.
		_ = c.root.Chtimes(name, now, now)
	}
	return true
}

// readBlock fills data from the file of a block. It returns false if the file is too short or damaged.
func readBlock(file io.Reader, data []byte) bool {
	var header [headerBytes]byte
	if _, err := io.ReadFull(file, header[:]); err != nil {
		return false
	}
	if _, err := io.ReadFull(file, data); err != nil {
		return false
	}
	return binary.BigEndian.Uint32(header[:]) == crc32c.Sum(data)
}

// write stores a block in the cache. It returns no error, because the read that has fetched the block
// must succeed anyway.
func (c *Cache) write(name string, data []byte) {
	size := headerBytes + int64(len(data))
	const attempts = 2 // if the disk is full, removing other blocks may help
	for range attempts {
		if !c.makeRoom(size) {
			return
		}
		err := c.store(name, data)
		isFull := c.endWrite(size, err)
		if !isFull {
			return
		}
	}
}

// store writes a block to a temporary file, and then renames it. If it fails, it removes the temporary
// file.
func (c *Cache) store(name string, data []byte) error {
	temp := path.Join(path.Dir(name), tempPrefix+rand.Text())
	file, err := c.create(temp)
	if err != nil {
		return err
	}

	err = errors.Join(writeBlock(file, data), file.Close())
	if err == nil {
		err = c.root.Rename(temp, name)
	}
	if err != nil {
		_ = c.root.Remove(temp)
		return err
	}
	return nil
}

// create creates a file and, if necessary, its folder.
func (c *Cache) create(name string) (*os.File, error) {
	const flags = os.O_CREATE | os.O_EXCL | os.O_WRONLY
	file, err := c.root.OpenFile(name, flags, 0o600)
	if err == nil {
		return file, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}

	// Another process may create the folder at the same time.
	if err := c.root.Mkdir(path.Dir(name), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return c.root.OpenFile(name, flags, 0o600)
}

// writeBlock writes the checksum of data, and then data.
func writeBlock(file io.Writer, data []byte) error {
	var header [headerBytes]byte
	binary.BigEndian.PutUint32(header[:], crc32c.Sum(data))
	if _, err := file.Write(header[:]); err != nil {
		return err
	}
	_, err := file.Write(data)
	return err
}
