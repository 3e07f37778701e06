package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/commit"
)

// A table is a set of accounts with their balances, which several processes change. Its state is what the entries
// of a log have changed, one after the other.
type table struct {
	bucket   storage.Bucket
	log      *commit.Log
	version  int64 // the number of the last entry that is applied
	balances map[string]int
}

func openTable(ctx context.Context, bucket storage.Bucket) (*table, error) {
	log, err := commit.New(bucket, "log/")
	if err != nil {
		return nil, err
	}
	t := &table{bucket: bucket, log: log}
	return t, t.load(ctx)
}

// load reads the snapshot of the entries that were removed.
func (t *table) load(ctx context.Context) error {
	trimmed, err := t.log.Trimmed(ctx)
	if err != nil {
		return err
	}
	t.version, t.balances = trimmed, map[string]int{}
	if trimmed == 0 {
		return nil
	}
	text, _, err := storage.ReadAll(ctx, t.bucket, snapshotKey(trimmed))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &t.balances)
}

// catchUp applies the entries up to last. If the first one was removed, a snapshot has it.
func (t *table) catchUp(ctx context.Context, last int64) error {
	for t.version < last {
		err := t.apply(ctx, last)
		if errors.Is(err, storage.ObjectNotFound) {
			err = t.load(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *table) apply(ctx context.Context, last int64) error {
	for entry, err := range t.log.From(ctx, t.version+1) {
		if err != nil {
			return err
		}
		var changes map[string]int
		if err := json.Unmarshal(entry.Data, &changes); err != nil {
			return err
		}
		for account, amount := range changes {
			t.balances[account] += amount
		}
		if t.version = entry.Number; entry.Number == last {
			return nil
		}
	}
	return nil
}

// transfer moves an amount between two accounts. If another process was faster, it is decided again: no
// account gets below zero.
func (t *table) transfer(ctx context.Context, from, to string, amount int) error {
	_, err := t.log.Append(ctx, func(last int64) ([]byte, error) {
		if err := t.catchUp(ctx, last); err != nil {
			return nil, err
		}
		if from != "bank" && t.balances[from] < amount {
			return nil, fmt.Errorf("%s has only %d", from, t.balances[from])
		}
		return json.Marshal(map[string]int{from: -amount, to: amount})
	})
	return err
}

// snapshot stores the state of the table, and removes entries that nobody needs any more.
func (t *table) snapshot(ctx context.Context) error {
	last, err := t.log.Last(ctx)
	if err != nil || last == 0 {
		return err
	}
	if err := t.catchUp(ctx, last); err != nil {
		return err
	}
	text, err := json.Marshal(t.balances)
	if err != nil {
		return err
	}
	if _, err := t.bucket.Upload(ctx, snapshotKey(t.version), bytes.NewReader(text)); err != nil {
		return err
	}
	return t.log.Trim(ctx, t.version)
}

func snapshotKey(version int64) string { return fmt.Sprintf("snapshots/%020d.json", version) }
