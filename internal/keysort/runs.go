package keysort

import (
	"bufio"
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"os"

	"github.com/omnibucket/storage/internal/localfile"
)

// The type runs is a temporary file with one or more runs. A run is a sorted sequence of records.
//
// A record in the file begins with three numbers: how many bytes its key shares with the key before
// it, how many more bytes the key has, and how many bytes the value has. The shared bytes are not
// written again: most keys of a bucket share their beginning.
type runs struct {
	file *os.File // nil if there is no run yet
	size int64
	all  []span
}

// A span is the range of the file that contains one run.
type span struct{ start, end int64 }

// add writes records, which must be sorted, to the end of the file as a new run.
func (f *runs) add(ctx context.Context, records iter.Seq2[Record, error]) error {
	if f.file == nil {
		file, err := localfile.CreateTemp("omnibucket-sort-*")
		if err != nil {
			return err
		}
		f.file = file
	}

	// A call that failed may have left bytes behind f.size, which this call overwrites.
	const bufferSize = 64 << 10
	dst := bufio.NewWriterSize(io.NewOffsetWriter(f.file, f.size), bufferSize)
	end := f.size
	var lastKey, numbers []byte
	for r, err := range records {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}

		// A record is stored as three lengths, the end of its key, and its value. The start of its
		// key, which has shared bytes, is that of the key before.
		shared := sharedPrefix(lastKey, r.Key)
		numbers = binary.AppendUvarint(numbers[:0], uint64(shared))
		numbers = binary.AppendUvarint(numbers, uint64(len(r.Key)-shared))
		numbers = binary.AppendUvarint(numbers, uint64(len(r.Value)))
		for _, part := range [][]byte{numbers, r.Key[shared:], r.Value} {
			if _, err := dst.Write(part); err != nil {
				return err
			}
			end += int64(len(part))
		}
		lastKey = append(lastKey[:0], r.Key...)
	}

	if err := dst.Flush(); err != nil {
		return err
	}

	// The run is complete.
	f.all = append(f.all, span{start: f.size, end: end})
	f.size = end
	return nil
}

// sharedPrefix returns how many bytes a and b have in common at their beginning.
func sharedPrefix(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// merged yields the records of all runs of the levels in order. Its buffers share about s.memory
// bytes.
func (s *Sorter) merged(ctx context.Context, levels ...*runs) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		open, err := s.open(levels)
		if err != nil {
			yield(Record{}, err)
			return
		}
		heap.Init(&open)

		// The first cursor of the heap has the next record.
		for len(open) > 0 {
			if err := ctx.Err(); err != nil {
				yield(Record{}, err)
				return
			}
			if !yield(open[0].record, nil) {
				return
			}
			hasMore, err := open[0].next()
			if err != nil {
				yield(Record{}, err)
				return
			}
			if hasMore {
				heap.Fix(&open, 0)
			} else {
				heap.Pop(&open)
			}
		}
	}
}

// open returns a cursor at the first record of each run of the levels. It leaves out empty runs. The
// buffers of the cursors share s.memory.
func (s *Sorter) open(levels []*runs) (cursors, error) {
	count := 0
	for _, level := range levels {
		count += len(level.all)
	}

	// Each run gets an equal share of the memory, within bounds.
	const minBuffer, maxBuffer = 4 << 10, 1 << 20
	bufferSize := s.memory / max(count, 1)
	bufferSize = max(bufferSize, minBuffer)
	bufferSize = min(bufferSize, maxBuffer)

	var result cursors
	for _, level := range levels {
		for _, run := range level.all {
			section := io.NewSectionReader(level.file, run.start, run.end-run.start)
			c := &cursor{src: bufio.NewReaderSize(section, bufferSize)}
			hasRecord, err := c.next()
			if err != nil {
				return nil, err
			}
			if hasRecord {
				result = append(result, c)
			}
		}
	}
	return result, nil
}

// close removes the file and its runs.
func (f *runs) close() error {
	if f.file == nil {
		return nil
	}
	err := localfile.CloseTemp(f.file)
	*f = runs{}
	return err
}

// A cursor reads the records of one run. record is the current one.
type cursor struct {
	src    *bufio.Reader
	record Record
}

// next makes the next record the current one, and returns false at the end of the run.
func (c *cursor) next() (bool, error) {
	// A record is the number of bytes that its key shares with the last one, two lengths and the rest.
	shared, err := binary.ReadUvarint(c.src)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	keyRest, err := binary.ReadUvarint(c.src)
	if err != nil {
		return false, err
	}
	valueLength, err := binary.ReadUvarint(c.src)
	if err != nil {
		return false, err
	}

	// The shared start of the key is still there from the last record.
	c.record.Key, err = c.fill(c.record.Key[:shared], int(keyRest))
	if err != nil {
		return false, err
	}
	c.record.Value, err = c.fill(c.record.Value[:0], int(valueLength))
	return true, err
}

// fill reads the next n bytes of the run, and appends them to b.
func (c *cursor) fill(b []byte, n int) ([]byte, error) {
	start := len(b)
	if cap(b) < start+n {
		// The next record may be a little longer.
		b = append(make([]byte, 0, start+2*n), b...)
	}
	b = b[:start+n]
	_, err := io.ReadFull(c.src, b[start:])
	return b, err
}

// cursors is a heap: the cursor with the smallest record is first.
type cursors []*cursor

func (c cursors) Len() int           { return len(c) }
func (c cursors) Less(i, j int) bool { return compare(c[i].record, c[j].record) < 0 }
func (c cursors) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }
func (c *cursors) Push(x any)        { *c = append(*c, x.(*cursor)) }

func (c *cursors) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}
