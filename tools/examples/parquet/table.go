package main

import (
	"context"
	"math/rand/v2"

	"github.com/parquet-go/parquet-go"

	"github.com/omnibucket/storage"
)

// rowsPerGroup is the number of rows in each group of rows of the file.
const rowsPerGroup = 100_000

// A trip is a row of the table.
type trip struct {
	ID        int64   `parquet:"id"`
	Start     int64   `parquet:"start"`
	End       int64   `parquet:"end"`
	Latitude  float64 `parquet:"latitude"`
	Distance  float64 `parquet:"distance"`
	Longitude float64 `parquet:"longitude"`
	Fare      float64 `parquet:"fare"`
	Remark    string  `parquet:"remark"`
}

// upload generates a table of random trips, and uploads it while it is being generated.
func upload(ctx context.Context, b storage.Uploader, key string, rows int) (*storage.Attrs, error) {
	w := storage.NewWriter(ctx, b, key)
	defer w.Close()
	table := parquet.NewGenericWriter[trip](w, parquet.MaxRowsPerRowGroup(rowsPerGroup))
	random := rand.New(rand.NewPCG(1, 2))
	batch := make([]trip, 0, 1000)
	for i := range rows {
		start := random.Int64N(1 << 31)
		batch = append(batch, trip{
			ID:        random.Int64(),
			Start:     start,
			End:       start + random.Int64N(7200),
			Latitude:  random.Float64(),
			Longitude: random.Float64(),
			Distance:  float64(random.IntN(1000)),
			Fare:      float64(random.IntN(5000)),
			Remark:    "cash, no luggage",
		})
		if len(batch) == cap(batch) || i == rows-1 {
			if _, err := table.Write(batch); err != nil {
				return nil, err
			}
			batch = batch[:0]
		}
	}
	if err := table.Close(); err != nil {
		return nil, err
	}
	return w.Commit()
}
