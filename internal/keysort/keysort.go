// Package keysort sorts any number of keys with values on disk, within bounded memory.
//
//	s := keysort.New(64 << 20)
//	defer s.Close()
//	err := s.Add(ctx, key, value) // in any order
//	for record, err := range s.Sorted(ctx) { … }
package keysort

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
)

// A Record is a key and its value.
type Record struct{ Key, Value []byte }

func compare(a, b Record) int {
	return cmp.Or(bytes.Compare(a.Key, b.Key), bytes.Compare(a.Value, b.Value))
}

const (
	// recordBytes is the memory of a record in addition to its key and value.
	recordBytes = 48
	// blockBytes is how much memory is allocated at a time.
	blockBytes = 256 << 10
	// leastBuffer is the smallest buffer that reads a run efficiently. It bounds how many runs of a level
	// are merged at once.
	leastBuffer = 32 << 10
	leastRuns   = 8
)

// A Sorter sorts records by key and, if keys are equal, by value. It keeps equal records. Its methods
// must not be called concurrently.
type Sorter struct {
	memory  int
	records []Record // not yet in a run
	held    int      // bytes of records
	block   []byte   // has room for further records
	levels  []*runs  // a full level becomes one run of the next
	sealed  bool
}

// New returns a Sorter that holds about this number of bytes in memory. It writes any more records,
// and a single record that is larger, to temporary files. The files are in [os.TempDir].
func New(memory int) *Sorter { return &Sorter{memory: max(memory, 1)} }

// Add adds a record. It keeps neither slice. It fails if the disk does, if ctx is done, and after
// [Sorter.Sorted].
func (s *Sorter) Add(ctx context.Context, key, value []byte) error {
	if s.sealed {
		return errors.New("keysort: Add after Sorted or Close")
	}
	size := len(key) + len(value)
	if len(s.records) > 0 && s.held+size+recordBytes > s.memory {
		if err := s.spill(ctx); err != nil {
			return err
		}
	}
	if cap(s.block)-len(s.block) < size {
		s.block = make([]byte, 0, max(size, min(blockBytes, s.memory)))
	}
	start := len(s.block)
	s.block = append(append(s.block, key...), value...)
	record := s.block[start:len(s.block):len(s.block)]
	s.records = append(s.records, Record{record[:len(key):len(key)], record[len(key):]})
	s.held += size + recordBytes
	return nil
}

// spill writes the records in memory as a run.
func (s *Sorter) spill(ctx context.Context) error {
	slices.SortFunc(s.records, compare)
	if err := s.addRun(ctx, 0, s.inMemory); err != nil {
		return err
	}
	clear(s.records)
	s.records, s.held, s.block = s.records[:0], 0, nil
	most := max(leastRuns, s.memory/leastBuffer)
	for level := 0; len(s.levels[level].all) >= most; level++ {
		full := s.levels[level]
		if err := s.addRun(ctx, level+1, s.merged(ctx, full)); err != nil {
			return err
		}
		if err := full.close(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sorter) addRun(ctx context.Context, level int, records iter.Seq2[Record, error]) error {
	if level == len(s.levels) {
		s.levels = append(s.levels, &runs{})
	}
	return s.levels[level].add(ctx, records)
}

func (s *Sorter) inMemory(yield func(Record, error) bool) {
	for _, r := range s.records {
		if !yield(r, nil) {
			return
		}
	}
}

// Sorted yields the records in order, and at most one error, last. A record is valid until the next
// one. Sorted may be called several times, also before an earlier listing has ended.
func (s *Sorter) Sorted(ctx context.Context) iter.Seq2[Record, error] {
	s.sealed = true
	if len(s.levels) > 0 && len(s.records) > 0 {
		if err := s.spill(ctx); err != nil {
			return func(yield func(Record, error) bool) { yield(Record{}, err) }
		}
		s.records = nil
	}
	if len(s.levels) == 0 {
		slices.SortFunc(s.records, compare) // this changes nothing the next time
		return s.inMemory
	}
	return s.merged(ctx, s.levels...)
}

// Close removes the temporary files. It is idempotent.
func (s *Sorter) Close() error {
	s.sealed = true
	s.records, s.block = nil, nil
	var err error
	for _, level := range s.levels {
		err = errors.Join(err, level.close())
	}
	return err
}
