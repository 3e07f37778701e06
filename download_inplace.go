package storage

import (
	"io"
	"os"
)

// canWriteInPlace reports whether w is a file into which parallel ranges can be written, each to
// its place: none of them is in memory then. The file's position is at.
func (d *download) canWriteInPlace(w io.Writer) (file *os.File, at int64, ok bool) {
	file, ok = w.(*os.File)
	if !ok || d.ranges == nil || d.left != d.length || d.failure() != nil {
		return nil, 0, false
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, 0, false
	}
	if _, err := file.WriteAt(nil, 0); err != nil { // it was opened with O_APPEND
		return nil, 0, false
	}
	at, err = file.Seek(0, io.SeekCurrent)
	return file, at, err == nil
}

// writeInPlace writes everything to file, from at on, and moves the file's position past it. If
// it fails, the position stays, and the bytes after it are undefined.
func (d *download) writeInPlace(file *os.File, at int64) (int64, error) {
	if err := d.writeRanges(io.NewOffsetWriter(file, at)); err != nil {
		return 0, err
	}
	_, err := file.Seek(at+d.length, io.SeekStart)
	return d.length, err
}

// startInPlace makes f the fetcher of the ranges, so that Close stops it. Nothing goes through
// buffers. It returns false if the reader was closed.
func (g *rangeReader) startInPlace(f *rangeFetcher) (started bool) {
	g.starting.Do(func() {
		g.fetcher, started = f, true
		close(g.queue)
	})
	return started
}
