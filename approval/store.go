package approval

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/astrid-go/astrid/kv"
	"github.com/astrid-go/astrid/principal"
)

// Store is the durable namespace an inbox lives in; *kv.Namespace is one.
type Store interface {
	// Batch makes all writes durable or none.
	Batch(ctx context.Context, b kv.Batch) error
	// List returns a page of keys, Get the value of one.
	List(ctx context.Context, prefix, cursor string, limit int) (kv.Page, error)
	Get(ctx context.Context, key string) (value []byte, found bool, err error)
}

// Key prefixes, followed by the principal and an id.
const (
	questions  = "q/"
	allowances = "a/"
)

func questionKey(of principal.ID, id string) string  { return questions + of.String() + "/" + id }
func allowanceKey(of principal.ID, id string) string { return allowances + of.String() + "/" + id }

// recordVersion is the format of stored questions and allowances.
const recordVersion = 1

type storable interface{ key() string }

// questionRecord is a stored question. Covers is kept because the raw texts it was made from are not.
type questionRecord struct {
	Version int    `json:"v"`
	Covers  string `json:"covers"`
	Item    Item   `json:"item"`
}

func (r questionRecord) key() string { return questionKey(r.Item.Principal, r.Item.ID) }

// allowanceRecord is a stored allowance of scope Always.
type allowanceRecord struct {
	Version   int       `json:"v"`
	Allowance Allowance `json:"allowance"`
}

func (r allowanceRecord) key() string {
	return allowanceKey(r.Allowance.Question.Principal, r.Allowance.ID)
}

// save writes records in one batch.
func (b *Inbox) save(ctx context.Context, records ...storable) error {
	writes := make([]kv.Write, len(records))
	for i, r := range records {
		value, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encode %s: %w", r.key(), err)
		}
		writes[i] = kv.Write{Key: r.key(), Value: value}
	}
	return b.store.Batch(ctx, kv.Batch{Writes: writes})
}

// load fills the shelves from the store.
func (b *Inbox) load(ctx context.Context) error {
	err := b.scan(ctx, questions, func(key string, value []byte) error {
		var r questionRecord
		if err := decode(key, value, &r); err != nil {
			return err
		}
		if err := checkRecord(key, r.key(), r.Version); err != nil {
			return err
		}
		b.shelf(r.Item.Principal).entries[r.Item.ID] = newEntry(r.Item, r.Covers)
		return nil
	})
	if err != nil {
		return err
	}
	return b.scan(ctx, allowances, func(key string, value []byte) error {
		var r allowanceRecord
		if err := decode(key, value, &r); err != nil {
			return err
		}
		if err := checkRecord(key, r.key(), r.Version); err != nil {
			return err
		}
		if r.Allowance.Scope != Always {
			return fmt.Errorf("record %s holds an allowance of scope %q, only %q is stored", key, r.Allowance.Scope, Always)
		}
		b.shelf(r.Allowance.Question.Principal).allow(r.Allowance, 0)
		return nil
	})
}

// scan calls visit for each stored key with the prefix. Nobody else writes while the inbox is opened.
func (b *Inbox) scan(ctx context.Context, prefix string, visit func(key string, value []byte) error) error {
	for cursor := ""; ; {
		page, err := b.store.List(ctx, prefix, cursor, 0)
		if err != nil {
			return err
		}
		for _, key := range page.Keys {
			value, found, err := b.store.Get(ctx, key)
			if err != nil {
				return err
			}
			if !found {
				return fmt.Errorf("record %s went away while the inbox was opened", key)
			}
			if err := visit(key, value); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		cursor = page.Next
	}
}

// checkRecord refuses a record of another format, and one that sits under a key which is not its own.
func checkRecord(key, own string, version int) error {
	if version != recordVersion {
		return fmt.Errorf("record %s has version %d, this program reads %d; use the program that wrote it", key, version, recordVersion)
	}
	if own != key {
		return fmt.Errorf("record %s belongs under %s", key, own)
	}
	return nil
}

func decode(key string, value []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(value))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("decode record %s: %w", strings.ToValidUTF8(key, "?"), err)
	}
	return nil
}
