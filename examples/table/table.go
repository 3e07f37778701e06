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

// A table has accounts and their balances. Several processes may change it. The balances are the
// sums of the entries of a log.
type table struct {
	bucket   storage.Bucket
	log      *commit.Log
	version  int64 // number of the last log entry in balances
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

// load reads the snapshot, which contains the balances of all entries that were removed from the
// log.
func (t *table) load(ctx context.Context) error {
	trimmed, err := t.log.Trimmed(ctx)
	if err != nil {
		return err
	}
	t.version = trimmed
	t.balances = map[string]int{}
	if trimmed == 0 {
		return nil
	}
	text, _, err := storage.ReadAll(ctx, t.bucket, snapshotKey(trimmed))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &t.balances)
}

// catchUp applies the log entries up to last. If the log no longer has the first of them, it loads
// the snapshot.
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

// apply adds the changes of the log entries after t.version, up to last, to the balances.
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
		t.version = entry.Number
		if entry.Number == last {
			return nil
		}
	}
	return nil
}

// transfer moves an amount from one account to another. If another process appends an entry first,
// transfer checks the balance again, so that no balance falls below zero.
func (t *table) transfer(ctx context.Context, payer, payee string, amount int) error {
	_, err := t.log.Append(ctx, func(last int64) ([]byte, error) {
		if err := t.catchUp(ctx, last); err != nil {
			return nil, err
		}
		if payer != "bank" && t.balances[payer] < amount {
			return nil, fmt.Errorf("%s has only %d", payer, t.balances[payer])
		}
		return json.Marshal(map[string]int{payer: -amount, payee: amount})
	})
	return err
}

// snapshot stores the balances, and removes the log entries that they include.
func (t *table) snapshot(ctx context.Context) error {
	last, err := t.log.Last(ctx)
	if err != nil {
		return err
	}
	if last == 0 {
		return nil // the log has no entries yet
	}
	if err := t.catchUp(ctx, last); err != nil {
		return err
	}

	// The snapshot must exist before the entries are removed, because load reads it in their place.
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
