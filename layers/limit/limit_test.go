package limit_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/limit"
	"github.com/omnibucket/storage/memstore"
)

// Parse reads a rate, or a timetable whose slots have times of each day or of one day of the week.
func TestParse(t *testing.T) {
	monday := time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC)
	at := func(weekday time.Weekday, hour, minute int) time.Time {
		days := int(weekday - time.Monday)
		return monday.AddDate(0, 0, days).Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
	}
	const (
		eachDay = "08:00,512K 19:00,10M:1M 23:00,off"
		week    = "Mon-08:00,1M 12:00,2M fri-12:00,3M Saturday-00:00,off"
	)

	tests := []struct {
		name, text string
		when       time.Time
		want       limit.Rates
	}{
		{name: "a rate", text: "10M", when: monday, want: limit.Rates{Upload: 10 << 20, Download: 10 << 20}},
		{
			name: "a fraction in lower case",
			text: "1.5k",
			when: monday,
			want: limit.Rates{Upload: 1536, Download: 1536},
		},
		{
			name: "a rate without a unit",
			text: "100",
			when: monday,
			want: limit.Rates{Upload: 100 << 10, Download: 100 << 10},
		},
		{name: "bytes", text: "100B", when: monday, want: limit.Rates{Upload: 100, Download: 100}},
		{
			name: "a unit in full",
			text: "1GiB",
			when: monday,
			want: limit.Rates{Upload: 1 << 30, Download: 1 << 30},
		},
		{name: "both directions", text: "10M:off", when: monday, want: limit.Rates{Upload: 10 << 20}},
		{name: "off", text: "off", when: monday, want: limit.Rates{}},
		{name: "zero", text: "0", when: monday, want: limit.Rates{}},
		{name: "before the first slot of a day", text: eachDay, when: at(time.Wednesday, 7, 59), want: limit.Rates{}},
		{
			name: "the start of a slot",
			text: eachDay,
			when: at(time.Wednesday, 8, 0),
			want: limit.Rates{Upload: 512 << 10, Download: 512 << 10},
		},
		{
			name: "the end of a slot",
			text: eachDay,
			when: at(time.Wednesday, 18, 59),
			want: limit.Rates{Upload: 512 << 10, Download: 512 << 10},
		},
		{
			name: "the next slot",
			text: eachDay,
			when: at(time.Wednesday, 19, 0),
			want: limit.Rates{Upload: 10 << 20, Download: 1 << 20},
		},
		{
			name: "a slot of Monday",
			text: week,
			when: at(time.Monday, 9, 0),
			want: limit.Rates{Upload: 1 << 20, Download: 1 << 20},
		},
		{
			name: "a slot of each day",
			text: week,
			when: at(time.Tuesday, 9, 0),
			want: limit.Rates{Upload: 2 << 20, Download: 2 << 20},
		},
		{
			name: "a day in place of each day",
			text: week,
			when: at(time.Friday, 13, 0),
			want: limit.Rates{Upload: 3 << 20, Download: 3 << 20},
		},
		{name: "the weekend", text: week, when: at(time.Saturday, 3, 0), want: limit.Rates{}},
		{
			name: "the week before",
			text: "Sat-00:00,1M",
			when: at(time.Monday, 0, 0),
			want: limit.Rates{Upload: 1 << 20, Download: 1 << 20},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			timetable, err := limit.Parse(tt.text)
			require.NoError(t, err)
			require.Equal(t, tt.want, timetable.At(tt.when))
		})
	}
	require.Equal(t, limit.Rates{}, limit.Timetable{}.At(monday))
}

// Parse refuses a text that is no limit and no timetable.
func TestParseRefuses(t *testing.T) {
	tests := []struct {
		text string
		want string // in the error
	}{
		{text: "", want: "must not be empty"},
		{text: "fast", want: "must have rates"},
		{text: "10X", want: "must have rates"},
		{text: "-1M", want: "from 1 byte"},
		{text: "0.1B", want: "from 1 byte"},
		{text: "NaN", want: "must have rates"},
		{text: "10M:", want: "must have rates"},
		{text: "08:00,", want: "must have rates"},
		{text: "08:00,1M 9", want: "must have the form"},
		{text: "24:00,1M", want: "must have times"},
		{text: "08:0,1M", want: "must have times"},
		{text: "8,1M", want: "must have times"},
		{text: "Foo-08:00,1M", want: "must name days"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			_, err := limit.Parse(tt.text)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// newLayer returns a layer with a configuration.
func newLayer(t *testing.T, c limit.Config) driver.Layer {
	t.Helper()
	layer, err := limit.New(c)
	require.NoError(t, err)
	return layer
}

// measure calls the function do, and returns how long the call takes on the clock of the test.
func measure(t *testing.T, do func() error) time.Duration {
	t.Helper()
	start := time.Now()
	require.NoError(t, do())
	return time.Since(start)
}

// requireTakes calls the function do. It requires that do succeeds, and takes about the time want
// on the clock of the test.
func requireTakes(t *testing.T, want time.Duration, do func() error) {
	t.Helper()
	const tolerance = 500 * time.Millisecond
	require.InDelta(t, want, measure(t, do), float64(tolerance))
}

// The limit bounds the bytes a second of uploads and downloads. A copy inside the store moves no bytes.
func TestLimitHoldsForTransfers(t *testing.T) {
	const (
		size         = 10 << 20 // bytes of each transfer
		uploadRate   = 1 << 20  // bytes a second, so that an upload takes 10 seconds
		downloadRate = 2 << 20  // so that a download takes 5 seconds
	)
	synctest.Test(t, func(t *testing.T) {
		layer := newLayer(t, limit.Config{
			Bytes: limit.Constant(limit.Rates{Upload: uploadRate, Download: downloadRate}),
		})
		b := memstore.New(driver.WithLayer(layer))
		data := []byte(strings.Repeat("0123456789abcdef", size/16))
		transfers := []struct {
			name     string
			do       func() error
			wantTime time.Duration
		}{
			{
				name: "an upload",
				do: func() error {
					_, err := b.Upload(t.Context(), "a", bytes.NewReader(data))
					return err
				},
				wantTime: 10 * time.Second,
			},
			{
				name: "a stream of unknown length",
				do: func() error {
					_, err := b.Upload(t.Context(), "b", io.MultiReader(bytes.NewReader(data)))
					return err
				},
				wantTime: 10 * time.Second,
			},
			{
				name: "a download",
				do: func() error {
					got, _, err := storage.ReadAll(t.Context(), b, "a")
					require.Equal(t, data, got)
					return err
				},
				wantTime: 5 * time.Second,
			},
			{
				name: "an append inside the store",
				do: func() error {
					_, err := storage.Append(t.Context(), b, "b", data)
					return err
				},
				wantTime: 10 * time.Second,
			},
			{
				name: "a copy inside the store",
				do: func() error {
					_, err := storage.Copy(t.Context(), b, "c", b, "a")
					return err
				},
				wantTime: 0,
			},
		}
		for _, transfer := range transfers {
			t.Log(transfer.name) // a test with synctest has no subtests
			requireTakes(t, transfer.wantTime, transfer.do)
		}
	})
}

// The limit counts the bytes of an Append once, even if Append has to upload the object again as a stream.
func TestLimitCountsStreamedAppendOnce(t *testing.T) {
	const rate, size = 1 << 20, 10 << 20
	synctest.Test(t, func(t *testing.T) {
		// Without Compose, Append reads the object and uploads it again.
		refuseCompose := func(ctx context.Context, call string, next func(context.Context) error) error {
			if call == "Compose" {
				return storage.Unsupported
			}
			return next(ctx)
		}
		noCompose := func(d driver.Driver) driver.Driver { return driver.Intercept(d, refuseCompose) }
		limits := newLayer(t, limit.Config{Bytes: limit.Constant(limit.Rates{Upload: rate})})
		b := memstore.New(driver.WithLayer(noCompose), driver.WithLayer(limits))
		_, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
		require.NoError(t, err)

		requireTakes(t, size/rate*time.Second, func() error {
			_, err := storage.Append(t.Context(), b, "a", make([]byte, size))
			return err
		})
	})
}

// Concurrent transfers share one limit.
func TestLimitIsShared(t *testing.T) {
	const (
		rate    = 1 << 20 // bytes in a second
		size    = 1 << 20 // bytes of each upload
		uploads = 4
	)
	synctest.Test(t, func(t *testing.T) {
		layer := newLayer(t, limit.Config{Bytes: limit.Constant(limit.Rates{Upload: rate})})

		// Each upload goes to another store, with the same layer.
		requireTakes(t, uploads*size/rate*time.Second, func() error {
			errs := make([]error, uploads)
			var uploading sync.WaitGroup
			for i := range uploads {
				b := memstore.New(driver.WithLayer(layer))
				uploading.Go(func() {
					_, errs[i] = b.Upload(t.Context(), "a", bytes.NewReader(make([]byte, size)))
				})
			}
			uploading.Wait()
			return errors.Join(errs...)
		})
	})
}

// A transfer in progress follows a timetable that changes the limit.
func TestLimitTimetable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// At 08:00:30, the limit is 64 KiB a second. It ends 30 seconds later.
		timetable, err := limit.Parse("08:00,64K 08:01,off")
		require.NoError(t, err)
		timeOfDay := time.Date(2026, 11, 16, 8, 0, 30, 0, time.UTC)
		const limitedTime = 30 * time.Second
		start := time.Now()
		layer := newLayer(t, limit.Config{
			Bytes: timetable,
			Now:   func() time.Time { return timeOfDay.Add(time.Since(start)) },
		})
		b := memstore.New(driver.WithLayer(layer))

		// With the limit, the upload would take almost half an hour. After the limit has ended, the
		// rest of the upload takes no time.
		_, err = b.Upload(t.Context(), "a", bytes.NewReader(make([]byte, 100<<20)))
		require.NoError(t, err)
		require.InDelta(t, limitedTime.Seconds(), time.Since(start).Seconds(), 0.5)
	})
}

// A transfer stops waiting for the limit if ctx is canceled.
func TestLimitCanceledTransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		layer := newLayer(t, limit.Config{Bytes: limit.Constant(limit.Rates{Upload: 1})})
		b := memstore.New(driver.WithLayer(layer))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()

		_, err := b.Upload(ctx, "a", strings.NewReader(strings.Repeat("x", 1<<20)))
		require.ErrorIs(t, err, storage.DeadlineExceeded)
		require.InDelta(t, 1, time.Since(start).Seconds(), 0.1)
	})
}

// Close ends a Read that waits for the limit.
func TestLimitCloseEndsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// At one byte a second, the Read must wait.
		layer := newLayer(t, limit.Config{Bytes: limit.Constant(limit.Rates{Download: 1})})
		d := layer(memstore.NewDriver(memstore.Config{}))
		_, err := d.Put(t.Context(), &driver.PutRequest{
			Key:  "a",
			Body: strings.NewReader("0123456789"),
			Size: 10,
		})
		require.NoError(t, err)
		_, body, err := d.Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
		require.NoError(t, err)

		readErr := make(chan error)
		go func() {
			_, err := io.ReadAll(body)
			readErr <- err
		}()
		synctest.Wait() // until the Read waits

		require.NoError(t, body.Close())
		require.ErrorIs(t, <-readErr, context.Canceled)
	})
}
