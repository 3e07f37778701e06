package lease_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/lease"
	"github.com/omnibucket/storage/memstore"
)

// A distributed lock: processes that call this run the job one after another.
func ExampleHold() {
	ctx := context.Background()
	bucket := memstore.New() // any bucket that storage.Open opens, the same for all processes
	err := lease.Hold(ctx, bucket, "locks/invoices", func(ctx context.Context) error {
		fmt.Println("only one process prints this at a time")
		return ctx.Err() // ctx ends if the lease is lost
	})
	fmt.Println(err)
	// Output:
	// only one process prints this at a time
	// <nil>
}

// The election of a leader: each process calls lead, and one of them leads until it dies or ends.
func ExampleHold_leaderElection() {
	lead := func(ctx context.Context, bucket storage.Bucket, name string) error {
		for {
			err := lease.Hold(ctx, bucket, "leader", func(ctx context.Context) error {
				fmt.Println(name, "leads")
				<-ctx.Done() // lead until then
				return nil
			}, lease.WithTTL(15*time.Second))
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil { // for example Changed: the lease was lost
				time.Sleep(time.Second)
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	fmt.Println(lead(ctx, memstore.New(), "a"))
	// Output:
	// a leads
	// context deadline exceeded
}

// A ledger is what the lease protects. It accepts no request of a former holder.
type ledger struct{ highest int64 }

func (l *ledger) write(token int64, entry string) error {
	if token < l.highest {
		return errors.New("refused: " + entry)
	}
	l.highest = token
	return nil
}

// A holder that was paused learns too late that it has lost the lease. Its token is refused.
func ExampleLease_Token() {
	ctx := context.Background()
	bucket := memstore.New()
	book := &ledger{}
	former, _ := lease.Acquire(ctx, bucket, "ledger")
	_ = former.Release() // or it was paused for longer than the TTL
	holder, _ := lease.Acquire(ctx, bucket, "ledger")
	fmt.Println(book.write(holder.Token(), "of the current holder"))
	fmt.Println(book.write(former.Token(), "of the former holder"))
	fmt.Println(holder.Release())
	// Output:
	// <nil>
	// refused: of the former holder
	// <nil>
}

// To give up early, pass a ctx that ends. It must last longer than the TTL of a holder that may have died.
func ExampleAcquire() {
	bucket := memstore.New()
	l, err := lease.Acquire(context.Background(), bucket, "nightly")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = lease.Acquire(ctx, bucket, "nightly")
	fmt.Println(errors.Is(err, storage.DeadlineExceeded))
	fmt.Println(l.Release())
	// Output:
	// true
	// <nil>
}
