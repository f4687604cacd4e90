package groupcommit

import (
	"database/sql/driver"
	"errors"
	"io"
)

// rows are the rows of a query, all of them.
type rows struct {
	columns []string
	values  [][]driver.Value
}

// readAll reads what is found.
func readAll(found driver.Rows) (*rows, error) {
	all := &rows{columns: found.Columns()}
	for {
		values := make([]driver.Value, len(all.columns))
		switch err := found.Next(values); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
		all.values = append(all.values, values)
	}
}

// Columns implements driver.Rows.
func (r *rows) Columns() []string { return r.columns }

// Close implements driver.Rows.
func (r *rows) Close() error { return nil }

// Next implements driver.Rows.
func (r *rows) Next(dest []driver.Value) error {
	if len(r.values) == 0 {
		return io.EOF
	}
	copy(dest, r.values[0])
	r.values = r.values[1:]
	return nil
}
