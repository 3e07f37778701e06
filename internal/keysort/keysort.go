// Package keysort sorts keys with values. It uses a bounded amount of memory, and stores the rest
// on disk.
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

// compare orders records by key, and records with equal keys by value.
func compare(a, b Record) int {
	return cmp.Or(bytes.Compare(a.Key, b.Key), bytes.Compare(a.Value, b.Value))
}

const (
	// recordBytes is the memory in bytes that a record takes in addition to its key and value.
	recordBytes = 48
	// blockBytes is the usual size in bytes of the memory blocks for keys and values. One block
	// holds several records, so that they need fewer allocations.
	blockBytes = 256 << 10
	// leastBuffer is the smallest efficient size in bytes of a buffer for one run. A run is a
	// sorted sequence of records on disk. A merge needs a buffer for each run, so the memory limits
	// how many runs are merged at a time.
	leastBuffer = 32 << 10
	// leastRuns is how many runs are merged at a time even if the memory is smaller.
	leastRuns = 8
)

// A Sorter sorts records by key, and records with equal keys by value. It keeps equal records. Its
// methods must not be called concurrently.
type Sorter struct {
	memory  int
	records []Record // records that are not in a run yet
	held    int      // memory of records in bytes
	block   []byte   // memory for the keys and values of more records
	levels  []*runs  // sorted runs on disk; a full level is merged into one run of the next level
	sealed  bool
}

// New returns a Sorter that uses about the given number of bytes of memory. If the records need
// more memory, the Sorter writes them to temporary files in [os.TempDir].
func New(memory int) *Sorter { return &Sorter{memory: max(memory, 1)} }

// Add copies key and value into a new record. It fails if the disk fails, if ctx is done, or if
// [Sorter.Sorted] was called before.
func (s *Sorter) Add(ctx context.Context, key, value []byte) error {
	if s.sealed {
		return errors.New("keysort: Add after Sorted or Close")
	}

	size := len(key) + len(value)
	exceedsMemory := s.held+size+recordBytes > s.memory
	if exceedsMemory && len(s.records) > 0 {
		if err := s.spill(ctx); err != nil {
			return err
		}
	}

	s.records = append(s.records, s.newRecord(key, value))
	s.held += size + recordBytes
	return nil
}

// newRecord returns a record with a copy of key and value. The copy is a part of a block, which has the bytes
// of several records.
func (s *Sorter) newRecord(key, value []byte) Record {
	size := len(key) + len(value)
	if cap(s.block)-len(s.block) < size {
		s.block = make([]byte, 0, max(size, min(blockBytes, s.memory)))
	}
	start := len(s.block)
	s.block = append(s.block, key...)
	s.block = append(s.block, value...)
	data := s.block[start:]

	// Without spare capacity, an append to a key or value cannot overwrite the next one.
	return Record{
		Key:   slices.Clip(data[:len(key)]),
		Value: slices.Clip(data[len(key):]),
	}
}

// spill sorts the records in memory and writes them to disk as a run. If a level then has too many
// runs, it merges them into one run of the next level.
func (s *Sorter) spill(ctx context.Context) error {
	slices.SortFunc(s.records, compare)
	if err := s.addRun(ctx, 0, s.inMemory); err != nil {
		return err
	}
	clear(s.records)
	s.records = s.records[:0]
	s.held = 0
	s.block = nil

	return s.mergeFull(ctx)
}

// mergeFull merges the runs of each full level into one run of the next level, which may then be full,
// too. A merge needs a buffer for each run, so a level is full if the memory suffices for no more buffers.
func (s *Sorter) mergeFull(ctx context.Context) error {
	maxRuns := max(leastRuns, s.memory/leastBuffer)
	for level := 0; len(s.levels[level].all) >= maxRuns; level++ {
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

// addRun writes sorted records to disk as a run of the given level, which may be one level more than
// there are so far.
func (s *Sorter) addRun(ctx context.Context, level int, records iter.Seq2[Record, error]) error {
	if level == len(s.levels) {
		s.levels = append(s.levels, &runs{})
	}
	return s.levels[level].add(ctx, records)
}

// inMemory yields the records in memory, and never an error.
func (s *Sorter) inMemory(yield func(Record, error) bool) {
	for _, r := range s.records {
		if !yield(r, nil) {
			return
		}
	}
}

// Sorted yields all records in order, or an error at which it ends. A record is valid until the
// next one is yielded. Sorted may be called several times, even while an earlier result is still
// being read.
func (s *Sorter) Sorted(ctx context.Context) iter.Seq2[Record, error] {
	// From now on, Add fails.
	s.sealed = true

	hasRuns := len(s.levels) > 0
	if !hasRuns {
		// All records are in memory. Sorting changes nothing if an earlier call has sorted them.
		slices.SortFunc(s.records, compare)
		return s.inMemory
	}

	// The merge reads all records from the disk.
	if len(s.records) > 0 {
		if err := s.spill(ctx); err != nil {
			return func(yield func(Record, error) bool) { yield(Record{}, err) }
		}
		s.records = nil
	}
	return s.merged(ctx, s.levels...)
}

// Close removes the temporary files. It may be called several times.
func (s *Sorter) Close() error {
	s.sealed = true
	s.records = nil
	s.block = nil
	var err error
	for _, level := range s.levels {
		err = errors.Join(err, level.close())
	}
	return err
}
